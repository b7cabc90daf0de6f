#pragma once

#include "runtime/async.hpp"
#include "runtime/event_loops.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
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

/// Not templates: what spawns is compiled once.
void run_to_end(awaitable<void> work, std::chrono::seconds limit);
void run_to_end_on(asio::io_context& loop, awaitable<void> work, std::chrono::seconds limit);

template <class T>
awaitable<void> keep(awaitable<T> work, std::optional<T>& out) {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto value = co_await std::move(work);
    out.emplace(std::move(value));
}

}  // namespace run_detail

template <class T>
T run(awaitable<T> work, std::chrono::seconds limit) {
    std::optional<T> out;
    run_detail::run_to_end(run_detail::keep(std::move(work), out), limit);
    return *std::move(out);
}

template <class T>
T run_on(asio::io_context& loop, awaitable<T> work, std::chrono::seconds limit) {
    std::optional<T> out;
    run_detail::run_to_end_on(loop, run_detail::keep(std::move(work), out), limit);
    return *std::move(out);
}

}  // namespace quire::test
