#include "runtime/task_group.hpp"

#include "runtime/metrics.hpp"
#include "tests/support/run_coroutine.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

namespace quire::runtime {
namespace {

using namespace std::chrono_literals;

/// Waits for `gate`, then notes its own end; a cancelled wait counts too.
awaitable<void> pass(Wakeup& gate, std::string& outcome) {
    const auto waited = co_await gate.wait();
    outcome = waited ? "done" : "cancelled";
}

awaitable<void> fail() {
    throw std::runtime_error("out of luck");
    co_return;
}

awaitable<void> join_then_note(TaskGroup& tasks, std::string& outcome) {
    co_await tasks.join();
    outcome = "joined";
}

awaitable<Result<int>> answer_after(Wakeup& gate, Result<int> answer, std::string& outcome) {
    const auto waited = co_await gate.wait();
    outcome = waited ? "done" : "cancelled";
    co_return answer;
}

awaitable<void> call_shielded(TaskGroup& tasks, awaitable<Result<int>> work, std::string& seen) {
    const auto answer = co_await shielded(tasks, "work", std::move(work));
    seen = answer ? std::to_string(*answer) : std::string(answer.error().name());
}

/// A loop that the test turns by hand, and tasks on it.
class TaskGroupTest : public testing::Test {
protected:
    void spawn(awaitable<void> task) {
        tasks_.spawn(loop_.get_executor(), "task", std::move(task));
    }
    void turn() {
        loop_.restart();
        loop_.poll();
    }

    asio::io_context loop_{1};
    Wakeup gate_{loop_.get_executor()};
    TaskGroup tasks_;
    TaskGroup callers_;
    std::string outcome_;
    std::string seen_;
};

TEST_F(TaskGroupTest, CountsItsTasksAndThoseOfTheProcess) {
    const double before = live_tasks().Value();
    spawn(pass(gate_, outcome_));
    turn();
    EXPECT_EQ(tasks_.size(), 1u);
    EXPECT_EQ(live_tasks().Value(), before + 1);

    gate_.notify();
    turn();

    EXPECT_EQ(tasks_.size(), 0u);
    EXPECT_EQ(live_tasks().Value(), before);
}

TEST_F(TaskGroupTest, JoinEndsWhenNoTaskIsLeft) {
    spawn(pass(gate_, outcome_));
    callers_.spawn(loop_.get_executor(), "joiner", join_then_note(tasks_, seen_));
    turn();
    EXPECT_EQ(seen_, "");

    gate_.notify();
    turn();

    EXPECT_EQ(outcome_, "done");
    EXPECT_EQ(seen_, "joined");
}

TEST_F(TaskGroupTest, JoinOfNoTasksEndsAtOnce) {
    callers_.spawn(loop_.get_executor(), "joiner", join_then_note(tasks_, seen_));
    turn();

    EXPECT_EQ(seen_, "joined");
}

TEST_F(TaskGroupTest, CancelReachesEveryTask) {
    Wakeup other(loop_.get_executor());
    spawn(pass(gate_, outcome_));
    spawn(pass(other, seen_));
    turn();

    tasks_.cancel();
    tasks_.cancel();
    turn();

    EXPECT_EQ(outcome_, "cancelled");
    EXPECT_EQ(seen_, "cancelled");
    EXPECT_EQ(tasks_.size(), 0u);
}

TEST_F(TaskGroupTest, ATaskSpawnedAfterTheCancellationIsCancelledToo) {
    tasks_.cancel();

    spawn(pass(gate_, outcome_));
    turn();

    EXPECT_EQ(outcome_, "cancelled");
    EXPECT_EQ(tasks_.size(), 0u);
}

TEST_F(TaskGroupTest, AnExceptionOfShieldedWorkIsAnErrorToWhoWaits) {
    auto work = []() -> awaitable<Result<int>> {
        throw std::runtime_error("a bug");
        co_return 1;
    };
    std::optional<Result<int>> result;
    auto call = [&]() -> awaitable<void> {
        auto shielded_work = work();
        auto done = co_await shielded<int>(tasks_, "unlucky", std::move(shielded_work));
        result.emplace(std::move(done));
    };
    callers_.spawn(loop_.get_executor(), "caller", call());
    turn();

    ASSERT_TRUE(result);
    ASSERT_FALSE(*result);
    EXPECT_EQ(result->error().code(), ErrorCode::kInternalError);
}

TEST_F(TaskGroupTest, LogsAnExceptionUnderTheTasksNameAndGoesOn) {
    spawn(pass(gate_, outcome_));

    testing::internal::CaptureStderr();
    tasks_.spawn(loop_.get_executor(), "unlucky", fail());
    turn();
    const std::string log = testing::internal::GetCapturedStderr();

    EXPECT_NE(log.find("unlucky"), std::string::npos) << log;
    EXPECT_NE(log.find("out of luck"), std::string::npos) << log;
    EXPECT_EQ(tasks_.size(), 1u);
    gate_.notify();
    turn();
    EXPECT_EQ(outcome_, "done");
}

TEST(TaskGroup, JoinBlockingWaitsOutsideTheLoops) {
    EventLoops loops(2);
    TaskGroup tasks;
    std::atomic<int> ended{0};
    auto work = [&ended]() -> awaitable<void> {
        const auto slept = co_await sleep_for(5ms);
        EXPECT_TRUE(slept);
        ++ended;
    };
    for (int i = 0; i < 10; ++i) tasks.spawn(loops.next().get_executor(), "work", work());

    tasks.join_blocking();

    EXPECT_EQ(ended, 10);
    EXPECT_EQ(tasks.size(), 0u);
}

TEST(TaskGroup, TakesTasksFromManyThreads) {
    EventLoops loops(2);
    TaskGroup tasks;
    std::atomic<int> ended{0};
    auto work = [&ended]() -> awaitable<void> {
        ++ended;
        co_return;
    };
    std::vector<std::jthread> spawners;
    for (int i = 0; i < 4; ++i) {
        spawners.emplace_back([&] {
            for (int k = 0; k < 100; ++k) tasks.spawn(loops.next().get_executor(), "work", work());
        });
    }
    spawners.clear();

    tasks.join_blocking();

    EXPECT_EQ(ended, 400);
}

TEST_F(TaskGroupTest, ShieldedGivesTheCallerTheAnswer) {
    gate_.notify();
    callers_.spawn(loop_.get_executor(), "caller",
                   call_shielded(tasks_, answer_after(gate_, 5, outcome_), seen_));
    turn();

    EXPECT_EQ(seen_, "5");
}

TEST_F(TaskGroupTest, ShieldedGivesTheCallerTheError) {
    gate_.notify();
    callers_.spawn(
        loop_.get_executor(), "caller",
        call_shielded(tasks_, answer_after(gate_, Error(ErrorCode::kNotFound, ""), outcome_),
                      seen_));
    turn();

    EXPECT_EQ(seen_, "not_found");
}

TEST_F(TaskGroupTest, ShieldedGoesOnAfterTheCallersCancellation) {
    callers_.spawn(loop_.get_executor(), "caller",
                   call_shielded(tasks_, answer_after(gate_, 5, outcome_), seen_));
    turn();

    callers_.cancel();
    turn();
    EXPECT_EQ(seen_, "client_closed_request");
    EXPECT_EQ(outcome_, "");

    gate_.notify();
    turn();
    EXPECT_EQ(outcome_, "done");
    EXPECT_EQ(tasks_.size(), 0u);
}

TEST_F(TaskGroupTest, ShieldedMayFailAfterItsCallerHasLeft) {
    callers_.spawn(
        loop_.get_executor(), "caller",
        call_shielded(tasks_, answer_after(gate_, Error(ErrorCode::kNotFound, ""), outcome_),
                      seen_));
    turn();
    callers_.cancel();
    turn();

    gate_.notify();
    turn();

    EXPECT_EQ(seen_, "client_closed_request");
    EXPECT_EQ(outcome_, "done");
}

TEST_F(TaskGroupTest, ShieldedEndsWhenItsOwnGroupIsCancelled) {
    callers_.spawn(loop_.get_executor(), "caller",
                   call_shielded(tasks_, answer_after(gate_, 5, outcome_), seen_));
    turn();

    tasks_.cancel();
    turn();

    EXPECT_EQ(outcome_, "cancelled");
    EXPECT_EQ(seen_, "5");
}

}  // namespace
}  // namespace quire::runtime
