#include "runtime/wakeup.hpp"

namespace quire::runtime {

awaitable<Result<void>> Wakeup::wait() {
    if (!is_notified_) {
        const auto state = co_await asio::this_coro::cancellation_state;
        if (is_cancelled(state)) co_return cancelled_error();
        const auto waited = co_await timer_.async_wait(as_value);
        static_cast<void>(waited);  // cancelled either way: by notify or by our caller
    }
    if (!is_notified_) co_return cancelled_error();
    is_notified_ = false;
    co_return Result<void>();
}

}  // namespace quire::runtime
