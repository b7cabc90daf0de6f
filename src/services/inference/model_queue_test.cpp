#include "services/inference/model_queue.hpp"

#include "runtime/event_loops.hpp"
#include "runtime/task_group.hpp"
#include "tests/support/run_coroutine.hpp"

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace quire::inference {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// Somebody who enters, and keeps the place until it is told to leave.
struct Entrant {
    runtime::TaskGroup task;
    std::optional<Result<ModelQueue::Place>> result;

    bool is_in() const { return result && result->has_value(); }
    std::string_view error() const {
        return result && !*result ? result->error().name() : "no error";
    }
    void leave() { result.reset(); }
};

awaitable<void> enter_into(ModelQueue& queue, milliseconds wait_max, Entrant& entrant) {
    auto entered = co_await queue.enter(wait_max);
    entrant.result.emplace(std::move(entered));
}

/// Enters after its caller has left.
awaitable<void> enter_too_late(ModelQueue& queue, Entrant& entrant) {
    const auto slept = co_await runtime::sleep_for(1h);
    EXPECT_FALSE(slept);
    co_await enter_into(queue, 1h, entrant);
}

/// A loop that the test turns by hand.
class ModelQueueTest : public testing::Test {
protected:
    ~ModelQueueTest() override {
        for (const auto& entrant : entrants_) entrant->task.cancel();
        turn();
    }
    ModelQueue& make(const std::string& model, std::int64_t concurrency, std::int64_t line) {
        queues_.push_back(std::make_unique<ModelQueue>(model, concurrency, line, clock_));
        return *queues_.back();
    }
    Entrant& enter(ModelQueue& queue, milliseconds wait_max = 1h) {
        Entrant& entrant = *entrants_.emplace_back(std::make_unique<Entrant>());
        entrant.task.spawn(loop_.get_executor(), "entrant", enter_into(queue, wait_max, entrant));
        turn();
        return entrant;
    }
    void turn() {
        loop_.restart();
        loop_.poll();
    }
    bool ends(const Entrant& entrant) {
        return test::wait_until([&] {
            turn();
            return entrant.result.has_value();
        });
    }

    asio::io_context loop_{1};
    ManualClock clock_;
    std::vector<std::unique_ptr<ModelQueue>> queues_;
    std::vector<std::unique_ptr<Entrant>> entrants_;
};

TEST_F(ModelQueueTest, LetsInAsManyAsMayRunAtOnce) {
    ModelQueue& queue = make("m", 2, 10);

    const Entrant& first = enter(queue);
    const Entrant& second = enter(queue);
    const Entrant& third = enter(queue);

    EXPECT_TRUE(first.is_in());
    EXPECT_TRUE(second.is_in());
    EXPECT_FALSE(third.result);
    EXPECT_EQ(queue.running(), 2);
    EXPECT_EQ(queue.waiting(), 1u);
}

TEST_F(ModelQueueTest, ServesFirstComeFirst) {
    ModelQueue& queue = make("m", 1, 10);
    Entrant& holder = enter(queue);
    for (int i = 0; i < 5; ++i) enter(queue);

    holder.leave();
    for (std::size_t next = 1; next <= 5; ++next) {
        turn();
        for (std::size_t i = 1; i <= 5; ++i) EXPECT_EQ(entrants_[i]->is_in(), i == next) << i;
        EXPECT_EQ(queue.running(), 1);
        entrants_[next]->leave();
    }

    EXPECT_EQ(queue.running(), 0);
}

TEST_F(ModelQueueTest, NobodyOvertakesOneWhoseTurnHasJustCome) {
    ModelQueue& queue = make("m", 1, 10);
    Entrant& holder = enter(queue);
    const Entrant& waiting = enter(queue);

    holder.leave();
    const Entrant& late = enter(queue);

    EXPECT_TRUE(waiting.is_in());
    EXPECT_FALSE(late.result);
}

TEST_F(ModelQueueTest, AFreePlaceIsThereAtOnceAgain) {
    ModelQueue& queue = make("m", 1, 0);
    for (int i = 0; i < 3; ++i) {
        Entrant& entrant = enter(queue);

        EXPECT_TRUE(entrant.is_in());
        EXPECT_EQ(queue.running(), 1);
        entrant.leave();
        EXPECT_EQ(queue.running(), 0);
    }
}

TEST_F(ModelQueueTest, RefusesAtOnceWhenTheLineIsFull) {
    ModelQueue& queue = make("m", 1, 2);
    for (int i = 0; i < 3; ++i) enter(queue);

    const Entrant& refused = enter(queue);

    ASSERT_EQ(refused.error(), "queue_full");
    EXPECT_EQ(refused.result->error().detail("limit"), "2");
    EXPECT_EQ(refused.result->error().retry_after(), 3s);  // one a second, and two are before
    EXPECT_EQ(queue.waiting(), 2u);
}

TEST_F(ModelQueueTest, TakesTheNextAfterAFullLineBecameShorter) {
    ModelQueue& queue = make("m", 1, 1);
    Entrant& holder = enter(queue);
    enter(queue);
    EXPECT_EQ(enter(queue).error(), "queue_full");

    holder.leave();
    turn();

    EXPECT_FALSE(enter(queue).result);
    EXPECT_EQ(queue.waiting(), 1u);
}

TEST_F(ModelQueueTest, AQueueOfNoneRefusesWhileAnotherRuns) {
    ModelQueue& queue = make("m", 1, 0);
    enter(queue);

    EXPECT_EQ(enter(queue).error(), "queue_full");
}

TEST_F(ModelQueueTest, TheHintIsAMinuteAtMost) {
    ModelQueue& queue = make("m", 1, 100);
    for (int i = 0; i < 101; ++i) enter(queue);

    EXPECT_EQ(enter(queue).result->error().retry_after(), 60s);
}

TEST_F(ModelQueueTest, TheHintFollowsHowFastTheLineMoves) {
    ModelQueue& queue = make("m", 1, 2);
    Entrant& holder = enter(queue);
    Entrant& next = enter(queue);
    enter(queue);

    holder.leave();
    turn();
    clock_.advance(6s);
    next.leave();
    turn();
    for (int i = 0; i < 2; ++i) enter(queue);

    // A tenth of the way from one second to six, for each of three.
    EXPECT_EQ(enter(queue).result->error().retry_after(), 5s);
}

TEST_F(ModelQueueTest, AQuietTimeDoesNotMakeTheHintLonger) {
    ModelQueue& queue = make("m", 1, 0);
    for (int i = 0; i < 2; ++i) {
        enter(queue).leave();
        clock_.advance(1min);
    }
    enter(queue);

    EXPECT_EQ(enter(queue).result->error().retry_after(), 1s);
}

TEST_F(ModelQueueTest, TimesOutAndLeavesTheLine) {
    ModelQueue& queue = make("m", 1, 10);
    Entrant& holder = enter(queue);

    const Entrant& impatient = enter(queue, 2ms);
    const Entrant& patient = enter(queue);

    ASSERT_TRUE(ends(impatient));
    EXPECT_EQ(impatient.error(), "queue_timeout");
    EXPECT_TRUE(impatient.result->error().retry_after());
    EXPECT_EQ(queue.waiting(), 1u);
    holder.leave();
    turn();
    EXPECT_TRUE(patient.is_in());
}

TEST_F(ModelQueueTest, AWaitOfNothingEndsSoon) {
    ModelQueue& queue = make("m", 1, 10);
    enter(queue);

    const Entrant& impatient = enter(queue, 0ms);

    ASSERT_TRUE(ends(impatient));
    EXPECT_EQ(impatient.error(), "queue_timeout");
}

TEST_F(ModelQueueTest, ACancelledWaiterLeavesTheLine) {
    ModelQueue& queue = make("m", 1, 10);
    Entrant& holder = enter(queue);
    Entrant& cancelled = enter(queue);
    const Entrant& next = enter(queue);

    cancelled.task.cancel();
    turn();

    EXPECT_EQ(cancelled.error(), "client_closed_request");
    EXPECT_EQ(queue.waiting(), 1u);
    holder.leave();
    turn();
    EXPECT_TRUE(next.is_in());
}

TEST_F(ModelQueueTest, WhoWasCancelledBeforeTakesNoPlace) {
    ModelQueue& queue = make("m", 1, 10);
    Entrant entrant;
    entrant.task.spawn(loop_.get_executor(), "entrant", enter_too_late(queue, entrant));
    turn();

    entrant.task.cancel();
    turn();

    EXPECT_EQ(entrant.error(), "client_closed_request");
    EXPECT_EQ(queue.running(), 0);
}

/// Whoever wins, the place goes on to the next.
TEST_F(ModelQueueTest, ATurnThatComesToOneWhoIsLeavingIsNotLost) {
    for (const bool is_cancelled_first : {true, false}) {
        ModelQueue& queue = make("m", 1, 10);
        Entrant& holder = enter(queue);
        Entrant& cancelled = enter(queue);
        Entrant& next = enter(queue);

        if (is_cancelled_first) cancelled.task.cancel();
        holder.leave();
        if (!is_cancelled_first) cancelled.task.cancel();
        turn();
        ASSERT_TRUE(cancelled.result);
        cancelled.leave();
        turn();

        EXPECT_TRUE(next.is_in());
        EXPECT_EQ(queue.running(), 1);
        next.leave();
        EXPECT_EQ(queue.running(), 0);
    }
}

/// The turn is given between two looks of the waiter's loop, and the waiter is cancelled in the
/// same one before it can see the turn.
TEST_F(ModelQueueTest, ACancelledWaiterGivesItsUnseenTurnOn) {
    ModelQueue& queue = make("m", 1, 10);
    Entrant& holder = enter(queue);
    Entrant& cancelled = enter(queue);
    Entrant& next = enter(queue);

    cancelled.task.cancel();
    // Behind the cancellation, before the waiter's own end of the wait.
    asio::post(loop_, [&] { holder.leave(); });
    turn();

    EXPECT_EQ(cancelled.error(), "client_closed_request");
    EXPECT_TRUE(next.is_in());
    next.leave();
    EXPECT_EQ(queue.running(), 0);
}

TEST_F(ModelQueueTest, AMovedPlaceIsStillOne) {
    ModelQueue& queue = make("m", 2, 0);
    auto first = test::run(queue.enter(1h));
    auto second = test::run(queue.enter(1h));
    ASSERT_TRUE(first && second);

    ModelQueue::Place place = *std::move(first);
    EXPECT_EQ(queue.running(), 2);
    {
        ModelQueue::Place other = *std::move(second);
        place = std::move(other);
        EXPECT_EQ(queue.running(), 2);
    }
    EXPECT_EQ(queue.running(), 1);
    place = ModelQueue::Place();
    EXPECT_EQ(queue.running(), 0);
}

TEST_F(ModelQueueTest, ShowsItsDepthAndWhatItRefused) {
    // Counters live as long as the process, so each repetition takes a model of its own.
    static int repetition = 0;
    const std::string model = fmt::format("metered-{}", ++repetition);
    ModelQueue& queue = make(model, 1, 1);
    Entrant& holder = enter(queue);
    Entrant& waiting = enter(queue);
    EXPECT_EQ(enter(queue).error(), "queue_full");

    const std::string full = runtime::metrics_text();
    holder.leave();
    turn();
    const std::string empty = runtime::metrics_text();

    const auto has = [&](const std::string& text, std::string_view name, int value) {
        return text.find(fmt::format("{}{{model=\"{}\"}} {}\n", name, model, value)) !=
               std::string::npos;
    };
    EXPECT_TRUE(has(full, "quire_queue_depth", 1));
    EXPECT_TRUE(has(full, "quire_queue_refused_total", 1));
    EXPECT_TRUE(has(empty, "quire_queue_depth", 0));
    EXPECT_TRUE(has(empty, "quire_queue_wait_seconds_count", 1));
    waiting.leave();
}

/// The turn and the cancellation come from two threads at once; the place must not get lost.
TEST(ModelQueueRace, AWaiterCancelledAsItsTurnComesLosesNoPlace) {
    runtime::EventLoops loops(2);
    const SystemClock clock;
    ModelQueue queue("m", 1, 10, clock);
    for (int i = 0; i < 1000; ++i) {
        auto entered = test::run_on(loops.loop(0), queue.enter(1h));
        ASSERT_TRUE(entered);
        const auto holder = std::make_shared<ModelQueue::Place>(*std::move(entered));
        Entrant waiter;
        waiter.task.spawn(loops.loop(1).get_executor(), "waiter", enter_into(queue, 1h, waiter));
        ASSERT_TRUE(test::wait_until([&] { return queue.waiting() == 1; }));

        asio::post(loops.loop(0), [holder] { *holder = ModelQueue::Place(); });
        for (int spin = 0; spin < (i % 10) * 20; ++spin) std::this_thread::yield();
        waiter.task.cancel();
        waiter.task.join_blocking();

        waiter.leave();
        ASSERT_TRUE(test::wait_until([&] { return queue.running() == 0; })) << i;
        ASSERT_EQ(queue.waiting(), 0u);
    }
}

struct Crowd {
    std::atomic<int> inside{0};
    std::atomic<int> inside_max{0};
    std::atomic<int> served{0};
};

/// Enters again and again; inside it gives others the chance to run.
awaitable<void> come_and_go(ModelQueue& queue, Crowd& crowd, int times) {
    for (int i = 0; i < times; ++i) {
        const auto place = co_await queue.enter(1h);
        if (!place) co_return;
        const int inside = ++crowd.inside;
        int seen = crowd.inside_max;
        while (inside > seen && !crowd.inside_max.compare_exchange_weak(seen, inside)) {
        }
        const auto slept = co_await runtime::sleep_for(0ms);
        ignore(slept, "nobody cancels");
        --crowd.inside;
        ++crowd.served;
    }
}

TEST(ModelQueueRace, NeverLetsMoreInThanMayRunFromTwoLoops) {
    constexpr int kEntrants = 8;
    constexpr int kTimes = 200;
    runtime::EventLoops loops(2);
    const SystemClock clock;
    ModelQueue queue("m", 2, 100, clock);
    Crowd crowd;
    runtime::TaskGroup tasks;

    for (int i = 0; i < kEntrants; ++i) {
        tasks.spawn(loops.loop(static_cast<std::size_t>(i % 2)).get_executor(), "entrant",
                    come_and_go(queue, crowd, kTimes));
    }
    tasks.join_blocking();

    EXPECT_EQ(crowd.served, kEntrants * kTimes);
    EXPECT_EQ(crowd.inside_max, 2);
    EXPECT_EQ(queue.running(), 0);
    EXPECT_EQ(queue.waiting(), 0u);
}

}  // namespace
}  // namespace quire::inference
