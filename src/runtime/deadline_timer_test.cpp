#include "runtime/deadline_timer.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace quire::runtime {
namespace {

using namespace std::chrono_literals;

SteadyTime now() { return std::chrono::steady_clock::now(); }

/// Runs `loop` until nothing waits in it; false when that takes a suspicious time.
bool run_to_the_end(asio::io_context& loop) {
    loop.restart();
    loop.run_for(5s);
    return loop.stopped();
}

TEST(Deadline, RunsItsCallbackOnceWhenItPasses) {
    asio::io_context loop(1);
    int expiries = 0;
    Deadline deadline(loop, [&] { ++expiries; });
    const SteadyTime when = now() + 5ms;

    deadline.expire_at(when);
    ASSERT_TRUE(run_to_the_end(loop));

    EXPECT_EQ(expiries, 1);
    EXPECT_GE(now(), when);
    EXPECT_EQ(deadline.when(), SteadyTime::max());
}

TEST(Deadline, MovesLater) {
    asio::io_context loop(1);
    SteadyTime expired;
    Deadline deadline(loop, [&] { expired = now(); });
    const SteadyTime later = now() + 40ms;

    deadline.expire_after(1ms);
    deadline.expire_at(later);
    ASSERT_TRUE(run_to_the_end(loop));

    EXPECT_GE(expired, later);
}

TEST(Deadline, MovesEarlier) {
    asio::io_context loop(1);
    int expiries = 0;
    Deadline deadline(loop, [&] { ++expiries; });

    deadline.expire_after(1h);
    deadline.expire_after(1ms);
    ASSERT_TRUE(run_to_the_end(loop));

    EXPECT_EQ(expiries, 1);
}

TEST(Deadline, DoesNotRunAfterItWasCleared) {
    asio::io_context loop(1);
    int expiries = 0;
    Deadline deadline(loop, [&] { ++expiries; });

    deadline.expire_after(1ms);
    deadline.clear();
    ASSERT_TRUE(run_to_the_end(loop));

    EXPECT_EQ(expiries, 0);
}

TEST(Deadline, AnEarlierOneDoesNotLoseALaterOne) {
    asio::io_context loop(1);
    std::string order;
    Deadline a(loop, [&] { order += 'a'; });
    Deadline b(loop, [&] { order += 'b'; });
    Deadline c(loop, [&] { order += 'c'; });

    c.expire_after(30ms);
    a.expire_after(1ms);
    b.expire_after(15ms);
    ASSERT_TRUE(run_to_the_end(loop));

    EXPECT_EQ(order, "abc");
}

TEST(Deadline, CanBeSetAgainInItsOwnCallback) {
    asio::io_context loop(1);
    int expiries = 0;
    std::unique_ptr<Deadline> deadline;
    deadline = std::make_unique<Deadline>(loop, [&] {
        if (++expiries < 3) deadline->expire_after(1ms);
    });

    deadline->expire_after(1ms);
    ASSERT_TRUE(run_to_the_end(loop));

    EXPECT_EQ(expiries, 3);
}

TEST(Deadline, OneThatAnotherCallbackDestroysDoesNotRun) {
    asio::io_context loop(1);
    int expiries = 0;
    std::unique_ptr<Deadline> a;
    std::unique_ptr<Deadline> b;
    a = std::make_unique<Deadline>(loop, [&] { ++expiries, b.reset(); });
    b = std::make_unique<Deadline>(loop, [&] { ++expiries, a.reset(); });
    const SteadyTime when = now() + 1ms;

    a->expire_at(when);
    b->expire_at(when);
    ASSERT_TRUE(run_to_the_end(loop));

    EXPECT_EQ(expiries, 1);
}

TEST(Deadline, CanBeDestroyedInItsOwnCallback) {
    asio::io_context loop(1);
    std::unique_ptr<Deadline> deadline;
    std::string name = "a name too long for the small buffer of std::string";
    std::string seen;
    deadline = std::make_unique<Deadline>(loop, [&deadline, &seen, name] {
        deadline.reset();
        seen = name;
    });

    deadline->expire_after(1ms);
    ASSERT_TRUE(run_to_the_end(loop));

    EXPECT_EQ(seen, name);
}

TEST(Deadline, DoesNotRunAfterItWasDestroyed) {
    int expiries = 0;
    asio::io_context loop(1);
    {
        Deadline deadline(loop, [&] { ++expiries; });
        deadline.expire_after(1ms);
    }

    ASSERT_TRUE(run_to_the_end(loop));

    EXPECT_EQ(expiries, 0);
}

}  // namespace
}  // namespace quire::runtime
