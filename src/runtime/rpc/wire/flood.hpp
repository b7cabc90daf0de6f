#pragma once

#include "base/clock.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace quire::rpc {

/// Frames of one kind within a second.
class FrameRate {
public:
    FrameRate() = default;
    /// Counts one; whether it is one too many.
    bool is_flood(std::uint32_t per_second) {
        const SteadyTime now = std::chrono::steady_clock::now();
        if (now - second_ >= std::chrono::seconds(1)) *this = FrameRate(now);
        return ++count_ > per_second;
    }

private:
    explicit FrameRate(SteadyTime now) : second_(now) {}

    SteadyTime second_;
    std::uint32_t count_ = 0;
};

/// A token bucket of what a peer does wrong: each one is one more, and time forgives them.
class Offences {
public:
    /// Adds one; how many are left.
    double add(std::uint64_t forgiven_per_second) {
        const SteadyTime now = std::chrono::steady_clock::now();
        const std::chrono::duration<double> past = now - at_;
        const double forgiven = past.count() * static_cast<double>(forgiven_per_second);
        count_ = std::max(0.0, count_ - forgiven) + 1;
        at_ = now;
        return count_;
    }

private:
    SteadyTime at_;
    double count_ = 0;
};

}  // namespace quire::rpc
