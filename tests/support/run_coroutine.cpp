#include "tests/support/run_coroutine.hpp"

#include <boost/asio/co_spawn.hpp>

#include <cstdio>
#include <cstdlib>
#include <future>
#include <thread>

namespace quire::test {
namespace {

[[noreturn]] void fail_on_time_limit() {
    std::fprintf(stderr, "a coroutine under test did not end in time\n");
    std::abort();
}

}  // namespace

namespace run_detail {

void run_to_end(awaitable<void> work, std::chrono::seconds limit) {
    asio::io_context loop(1);
    bool is_over = false;
    std::exception_ptr escaped;
    auto on_end = [&](const std::exception_ptr& e) {
        is_over = true;
        escaped = e;
    };
    asio::co_spawn(loop, std::move(work), on_end);
    loop.run_for(limit);
    if (escaped) std::rethrow_exception(escaped);
    if (!is_over) fail_on_time_limit();
}

void run_to_end_on(asio::io_context& loop, awaitable<void> work, std::chrono::seconds limit) {
    const auto promise = std::make_shared<std::promise<void>>();
    auto done = promise->get_future();
    auto on_end = [promise](const std::exception_ptr& e) {
        if (e) {
            promise->set_exception(e);
        } else {
            promise->set_value();
        }
    };
    asio::co_spawn(loop, std::move(work), on_end);
    if (done.wait_for(limit) != std::future_status::ready) fail_on_time_limit();
    done.get();
}

}  // namespace run_detail

bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

}  // namespace quire::test
