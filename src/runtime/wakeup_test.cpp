#include "runtime/wakeup.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <optional>

namespace quire::runtime {
namespace {

awaitable<void> keep(awaitable<Result<void>> work, std::optional<Result<void>>& out) {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto result = co_await std::move(work);
    out.emplace(std::move(result));
}

/// One coroutine that waits on a loop which the test turns by hand.
class WakeupTest : public testing::Test {
protected:
    void start_waiting() {
        asio::co_spawn(loop_, keep(wakeup_.wait(), waited_),
                       asio::bind_cancellation_slot(signal_.slot(), [](std::exception_ptr) {}));
    }
    void turn() {
        loop_.restart();
        loop_.poll();
    }

    asio::io_context loop_{1};
    Wakeup wakeup_{loop_.get_executor()};
    asio::cancellation_signal signal_;
    std::optional<Result<void>> waited_;
};

TEST_F(WakeupTest, WaitsForANotification) {
    start_waiting();
    turn();
    ASSERT_FALSE(waited_);

    wakeup_.notify();
    turn();

    ASSERT_TRUE(waited_);
    EXPECT_TRUE(*waited_);
}

TEST_F(WakeupTest, KeepsOneNotificationThatCameBeforeTheWait) {
    wakeup_.notify();
    wakeup_.notify();

    start_waiting();
    turn();
    ASSERT_TRUE(waited_);
    EXPECT_TRUE(*waited_);

    waited_.reset();
    start_waiting();
    turn();
    EXPECT_FALSE(waited_);
}

TEST_F(WakeupTest, CancellingEndsTheWait) {
    start_waiting();
    turn();

    signal_.emit(asio::cancellation_type::terminal);
    turn();

    ASSERT_TRUE(waited_);
    ASSERT_FALSE(*waited_);
    EXPECT_EQ(waited_->error().code(), ErrorCode::kCancelled);
}

TEST_F(WakeupTest, CancellingBeforeTheWaitBeginsEndsIt) {
    start_waiting();

    signal_.emit(asio::cancellation_type::terminal);
    turn();

    ASSERT_TRUE(waited_);
    EXPECT_FALSE(*waited_);
}

TEST_F(WakeupTest, ANotificationWinsOverALaterCancellation) {
    start_waiting();
    turn();

    wakeup_.notify();
    signal_.emit(asio::cancellation_type::terminal);
    turn();

    ASSERT_TRUE(waited_);
    EXPECT_TRUE(*waited_);
}

}  // namespace
}  // namespace quire::runtime
