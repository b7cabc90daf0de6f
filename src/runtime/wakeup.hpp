#pragma once

#include "runtime/async.hpp"

#include <boost/asio/steady_timer.hpp>

namespace quire::runtime {

/// Lets one coroutine wait until somebody on the same loop calls `notify`. A notification before
/// the wait is kept (once). Cancelling the waiter ends the wait with kCancelled.
class Wakeup {
public:
    explicit Wakeup(const asio::any_io_executor& executor)
        : timer_(executor, asio::steady_timer::time_point::max()) {}

    /// Ends with kCancelled only when cancelled before any notification.
    awaitable<Result<void>> wait();
    /// From the loop of the executor only.
    void notify() {
        is_notified_ = true;
        timer_.cancel();
    }

private:
    // A timer that never expires costs no system call and no heap entry in Asio, and honours
    // cancellation; any_completion_handler does not exist in Boost 1.81.
    asio::steady_timer timer_;
    bool is_notified_ = false;
};

}  // namespace quire::runtime
