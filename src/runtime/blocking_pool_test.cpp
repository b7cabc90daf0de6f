#include "runtime/blocking_pool.hpp"

#include "tests/support/run_coroutine.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <latch>
#include <string>
#include <thread>

namespace quire::runtime {
namespace {

// A pool posts back to the loop of its caller, and so dies before it in each test.

struct Places {
    std::thread::id before;
    std::thread::id work;
    std::thread::id after;
};

awaitable<Places> visit(BlockingPool& pool) {
    Places places;
    places.before = std::this_thread::get_id();
    auto work = [&places]() -> Result<void> {
        places.work = std::this_thread::get_id();
        return {};
    };
    const auto done = co_await pool.run(work);
    EXPECT_TRUE(done);
    places.after = std::this_thread::get_id();
    co_return places;
}

/// Waits at `gate` on a pool thread and notes in `outcome` what came of it.
awaitable<void> pass(BlockingPool& pool, std::latch& gate, std::string& outcome) {
    auto work = [&gate]() -> Result<std::string> {
        gate.wait();
        return std::string("done");
    };
    const auto done = co_await pool.run(work);
    outcome = done ? *done : std::string(done.error().name());
}

void ignore_exception(const std::exception_ptr& /*none is thrown*/) {}

TEST(BlockingPool, WorksElsewhereAndResumesTheCallerOnItsOwnThread) {
    EventLoops loops(2);
    BlockingPool pool("test", 1, 0);

    const Places places = test::run_on(loops.loop(0), visit(pool));

    EXPECT_EQ(places.after, places.before);
    EXPECT_NE(places.work, places.before);
}

TEST(BlockingPool, HandsTheErrorOfTheWorkOn) {
    EventLoops loops(1);
    BlockingPool pool("test", 1, 0);
    auto work = []() -> Result<int> { return Error(ErrorCode::kNotFound, "nothing there"); };

    const auto done = test::run_on(loops.loop(0), pool.run(work));

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message(), "nothing there");
}

TEST(BlockingPool, RefusesWorkBeyondItsLimitAtOnce) {
    asio::io_context loop(1);
    BlockingPool pool("test", 1, 1);
    std::latch gate(1);
    std::string running;
    std::string waiting;
    std::string refused;

    asio::co_spawn(loop, pass(pool, gate, running), ignore_exception);
    asio::co_spawn(loop, pass(pool, gate, waiting), ignore_exception);
    asio::co_spawn(loop, pass(pool, gate, refused), ignore_exception);
    loop.poll();

    EXPECT_EQ(refused, "overloaded");
    EXPECT_EQ(waiting, "");
    gate.count_down();
    loop.run_for(std::chrono::seconds(5));
    EXPECT_EQ(running, "done");
    EXPECT_EQ(waiting, "done");
}

TEST(BlockingPool, TakesNewWorkWhenOldWorkHasEnded) {
    EventLoops loops(1);
    BlockingPool pool("test", 1, 0);
    auto work = []() -> Result<int> { return 5; };
    for (int i = 0; i < 20; ++i) {
        const auto done = test::run_on(loops.loop(0), pool.run(work));

        ASSERT_TRUE(done);
        EXPECT_EQ(*done, 5);
    }
}

TEST(BlockingPool, RunsAsManyAtOnceAsItHasThreads) {
    asio::io_context loop(1);
    BlockingPool pool("test", 3, 0);
    std::latch together(3);
    auto meet = [&together]() -> Result<void> {
        together.arrive_and_wait();
        return {};
    };
    int ended = 0;
    for (int i = 0; i < 3; ++i) {
        asio::co_spawn(loop, pool.run(meet), [&](const std::exception_ptr&, Result<void> done) {
            EXPECT_TRUE(done);
            ++ended;
        });
    }

    loop.run_for(std::chrono::seconds(5));

    EXPECT_EQ(ended, 3);
}

}  // namespace
}  // namespace quire::runtime
