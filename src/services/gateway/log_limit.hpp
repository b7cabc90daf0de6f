#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <mutex>
#include <optional>

namespace quire::gateway {

/// How many lines a second may be written of what comes as often as clients like. Safe from several
/// loops.
class LogLimit {
public:
    static constexpr std::int64_t kLinesPerSecond = 20;

    /// For a line that may be written, how many were left out before it; else nullopt.
    std::optional<std::int64_t> take(SteadyTime now);

private:
    std::mutex mutex_;
    SteadyTime begin_;  ///< of the second that is counted
    std::int64_t lines_ = 0;
    std::int64_t left_out_ = 0;
};

}  // namespace quire::gateway
