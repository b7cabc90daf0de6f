#include "runtime/async.hpp"

namespace quire::runtime {

awaitable<Result<void>> sleep_for(std::chrono::nanoseconds duration) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) co_return cancelled_error();
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, duration);
    const auto [ec] = co_await timer.async_wait(as_value);
    if (ec) co_return cancelled_error();
    co_return Result<void>();
}

}  // namespace quire::runtime
