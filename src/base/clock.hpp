#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quire {

/// Microseconds since 1970 UTC: the one form of a point in time in messages and tables.
struct Timestamp {
    std::int64_t micros = 0;

    auto operator<=>(const Timestamp&) const = default;
    Timestamp operator+(std::chrono::microseconds d) const { return {micros + d.count()}; }
    Timestamp operator-(std::chrono::microseconds d) const { return {micros - d.count()}; }
    std::chrono::microseconds operator-(Timestamp other) const {
        return std::chrono::microseconds(micros - other.micros);
    }
    std::int64_t seconds() const { return micros / 1'000'000; }
};

/// `2026-11-23T18:39:02.000123Z`.
std::string to_rfc3339(Timestamp time);
/// Reads RFC 3339 in UTC or with an offset, up to nanoseconds (cut to micros); nullopt if it is
/// anything else.
std::optional<Timestamp> parse_rfc3339(std::string_view text);

using SteadyTime = std::chrono::steady_clock::time_point;

/// Both clocks: `now` for what is stored and shown, `steady` for deadlines and durations.
class Clock {
public:
    virtual ~Clock() = default;
    virtual Timestamp now() const = 0;
    virtual SteadyTime steady() const = 0;
};

class SystemClock final : public Clock {
public:
    Timestamp now() const override;
    SteadyTime steady() const override;
};

/// The time by which stored things become old. A wall clock that is set ahead while the process
/// runs is believed by no more than an hour, so that it cannot delete a whole log at once; one that
/// is set back is followed. Time in which the machine sleeps does not count.
class RetentionClock {
public:
    static constexpr std::chrono::hours kSlack{1};

    explicit RetentionClock(const Clock& clock)
        : clock_(clock), start_(clock.now()), steady_start_(clock.steady()) {}
    Timestamp now() const;

private:
    const Clock& clock_;
    Timestamp start_;
    SteadyTime steady_start_;
};

/// A clock that stands still until a test moves it.
class ManualClock final : public Clock {
public:
    explicit ManualClock(Timestamp start = {1'790'000'000'000'000}) : now_(start) {}
    Timestamp now() const override { return now_; }
    SteadyTime steady() const override { return steady_; }
    void advance(std::chrono::microseconds by) {
        now_ = now_ + by;
        steady_ += by;
    }
    /// Somebody sets the wall clock.
    void set(Timestamp now) { now_ = now; }

private:
    Timestamp now_;
    SteadyTime steady_{std::chrono::hours(1)};
};

}  // namespace quire
