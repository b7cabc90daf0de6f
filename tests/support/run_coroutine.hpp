#pragma once

#include "runtime/async.hpp"
#include "runtime/event_loops.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>

namespace quire::test {

/// Runs one coroutine on a fresh loop of the calling thread and gives its value; fails the test
/// and aborts it when that takes longer than `limit`.
template <class T>
T run(awaitable<T> work, std::chrono::seconds limit = std::chrono::seconds(20));

/// The same on a loop of `loops`, for code that needs a real event loop thread (PerLoop, servers).
template <class T>
T run_on(asio::io_context& loop, awaitable<T> work,
         std::chrono::seconds limit = std::chrono::seconds(20));

/// Polls until `condition` holds; false after `limit`. Instead of a sleep.
bool wait_until(const std::function<bool()>& condition,
                std::chrono::milliseconds limit = std::chrono::milliseconds(5000));

// ---------------------------------------------------------------------------------------------

namespace run_detail {

[[noreturn]] void fail_on_time_limit();

template <class T>
awaitable<void> keep(awaitable<T> work, std::optional<T>& out) {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto value = co_await std::move(work);
    out.emplace(std::move(value));
}

}  // namespace run_detail

template <class T>
T run(awaitable<T> work, std::chrono::seconds limit) {
    asio::io_context loop(1);
    std::optional<T> out;
    std::exception_ptr escaped;
    auto on_end = [&escaped](const std::exception_ptr& e) { escaped = e; };
    asio::co_spawn(loop, run_detail::keep(std::move(work), out), on_end);
    loop.run_for(limit);
    if (escaped) std::rethrow_exception(escaped);
    if (!out) run_detail::fail_on_time_limit();
    return *std::move(out);
}

template <class T>
T run_on(asio::io_context& loop, awaitable<T> work, std::chrono::seconds limit) {
    struct Shared {
        std::optional<T> out;
        std::promise<void> done;
    };
    const auto shared = std::make_shared<Shared>();
    auto done = shared->done.get_future();
    auto on_end = [shared](const std::exception_ptr& e) {
        if (e) {
            shared->done.set_exception(e);
        } else {
            shared->done.set_value();
        }
    };
    asio::co_spawn(loop, run_detail::keep(std::move(work), shared->out), on_end);
    if (done.wait_for(limit) != std::future_status::ready) run_detail::fail_on_time_limit();
    done.get();
    return *std::move(shared->out);
}

}  // namespace quire::test
