#include "runtime/async.hpp"

#include "runtime/task_group.hpp"
#include "tests/support/run_coroutine.hpp"

#include <gtest/gtest.h>

namespace quire::runtime {
namespace {

using namespace std::chrono_literals;

awaitable<void> note_sleep(std::chrono::nanoseconds duration, std::string& outcome) {
    const auto slept = co_await sleep_for(duration);
    outcome = slept ? "slept" : std::string(slept.error().name());
}

TEST(SleepFor, EndsAfterItsTime) {
    const auto begin = std::chrono::steady_clock::now();

    const auto slept = test::run(sleep_for(10ms));

    EXPECT_TRUE(slept);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 10ms);
}

TEST(SleepFor, EndsEarlyWhenItsCallerIsCancelled) {
    asio::io_context loop(1);
    TaskGroup tasks;
    std::string outcome;
    tasks.spawn(loop.get_executor(), "sleeper", note_sleep(1h, outcome));
    loop.poll();

    tasks.cancel();
    loop.run_for(5s);

    EXPECT_EQ(outcome, "client_closed_request");
}

TEST(SleepFor, DoesNotBeginAfterACancellation) {
    asio::io_context loop(1);
    TaskGroup tasks;
    std::string outcome;
    tasks.cancel();

    tasks.spawn(loop.get_executor(), "sleeper", note_sleep(1h, outcome));
    loop.run_for(5s);

    EXPECT_EQ(outcome, "client_closed_request");
}

}  // namespace
}  // namespace quire::runtime
