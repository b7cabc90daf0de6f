#include "services/gateway/log_limit.hpp"

#include <utility>

namespace quire::gateway {

std::optional<std::int64_t> LogLimit::take(SteadyTime now) {
    const std::lock_guard lock(mutex_);
    if (now - begin_ >= std::chrono::seconds(1)) {
        begin_ = now;
        lines_ = 0;
    }
    if (lines_ >= kLinesPerSecond) {
        ++left_out_;
        return std::nullopt;
    }
    ++lines_;
    return std::exchange(left_out_, 0);
}

}  // namespace quire::gateway
