#include "runtime/event_loops.hpp"

#include "tests/support/run_coroutine.hpp"

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

namespace quire::runtime {
namespace {

awaitable<std::optional<std::size_t>> current_loop() { co_return EventLoops::current(); }

awaitable<int> number_here(PerLoop<int>& numbers) { co_return numbers.here(); }

TEST(EventLoops, EachIsAThreadThatKnowsItsIndex) {
    EventLoops loops(3);

    for (std::size_t i = 0; i < loops.size(); ++i) {
        EXPECT_EQ(test::run_on(loops.loop(i), current_loop()), i);
    }
    EXPECT_EQ(EventLoops::current(), std::nullopt);
}

TEST(EventLoops, TakeTurns) {
    EventLoops loops(3);

    std::set<asio::io_context*> first{&loops.next(), &loops.next(), &loops.next()};
    std::set<asio::io_context*> second{&loops.next(), &loops.next(), &loops.next()};

    EXPECT_EQ(first.size(), 3u);
    EXPECT_EQ(second, first);
}

TEST(EventLoops, StopJoinsTheThreadsAndMayComeTwice) {
    EventLoops loops(2);
    std::atomic<bool> is_at_work{false};
    std::atomic<bool> has_ended{false};
    asio::post(loops.loop(0), [&] {
        is_at_work = true;
        std::this_thread::yield();
        has_ended = true;
    });
    ASSERT_TRUE(test::wait_until([&] { return is_at_work.load(); }));

    loops.stop();
    EXPECT_TRUE(has_ended);
    loops.stop();
}

TEST(PerLoop, HasOneOfItsOwnOnEachLoop) {
    EventLoops loops(2);
    int made = 0;
    PerLoop<int> numbers(loops, [&](asio::io_context&) { return std::make_unique<int>(made++); });

    EXPECT_EQ(numbers.all().size(), 2u);
    EXPECT_EQ(test::run_on(loops.loop(0), number_here(numbers)), 0);
    EXPECT_EQ(test::run_on(loops.loop(1), number_here(numbers)), 1);
}

TEST(PerLoopDeathTest, IsOnlyForLoops) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    const auto use_from_here = [] {
        EventLoops loops(1);
        PerLoop<int> numbers(loops, [](asio::io_context&) { return std::make_unique<int>(0); });
        static_cast<void>(numbers.here());
    };

    EXPECT_DEATH(use_from_here(), "a thread that is not a loop");
}

}  // namespace
}  // namespace quire::runtime
