#include "base/clock.hpp"

#include <gtest/gtest.h>

namespace quire {
namespace {

using std::chrono::microseconds;

TEST(Rfc3339, WrittenTimesReadBackTheSame) {
    for (const std::int64_t micros : {
             std::int64_t{0}, std::int64_t{1}, std::int64_t{999'999},
             std::int64_t{-1},                           // the last of 1969
             std::int64_t{951'782'400'000'000},          // 2000-02-29
             std::int64_t{1'795'459'142'000'123},        // 2026-11-23
             std::int64_t{253'402'300'799'999'999},      // the end of 9999
             std::int64_t{-62'167'219'200} * 1'000'000,  // the start of year 0
         }) {
        const std::string text = to_rfc3339(Timestamp{micros});

        EXPECT_EQ(text.size(), 27u) << text;
        EXPECT_EQ(parse_rfc3339(text), Timestamp{micros}) << text;
    }
}

TEST(Rfc3339, WritesUtcWithMicroseconds) {
    EXPECT_EQ(to_rfc3339(Timestamp{1'795'459'142'000'123}), "2026-11-23T18:39:02.000123Z");
    EXPECT_EQ(to_rfc3339(Timestamp{-1}), "1969-12-31T23:59:59.999999Z");
}

TEST(Rfc3339, ReadsEveryFormOfAPoint) {
    struct Row {
        std::string_view text;
        std::int64_t micros;
    };
    for (const Row& row : {
             Row{"1970-01-01T00:00:00Z", 0},
             Row{"1970-01-01t00:00:00z", 0},
             Row{"1970-01-01 00:00:00Z", 0},
             Row{"1970-01-01T00:00:00.5Z", 500'000},
             Row{"1970-01-01T00:00:00.000001Z", 1},
             Row{"1970-01-01T00:00:00.000001999Z", 1},  // cut, not rounded
             Row{"1970-01-01T01:30:00+01:30", 0},
             Row{"1969-12-31T16:00:00-08:00", 0},
             Row{"1969-12-31T23:59:59.999999Z", -1},
             Row{"1970-01-01T00:00:60Z", 60'000'000},  // a leap second
             Row{"2000-02-29T00:00:00-00:00", 951'782'400'000'000},
         }) {
        EXPECT_EQ(parse_rfc3339(row.text), Timestamp{row.micros}) << row.text;
    }
}

TEST(Rfc3339, RefusesEverythingElse) {
    for (const std::string_view bad : {
             "",
             "2026-11-23",
             "2026-11-23T18:39:02",    // no zone
             "2026-11-23T18:39:02.Z",  // a point without digits
             "2026-11-23T18:39:02.1234567890Z",
             "2026-11-23T18:39Z",
             "2026-13-01T00:00:00Z",
             "2026-00-01T00:00:00Z",
             "2026-02-29T00:00:00Z",  // no leap year
             "2026-11-31T00:00:00Z",
             "2026-11-23T24:00:00Z",
             "2026-11-23T18:60:00Z",
             "2026-11-23T18:39:61Z",
             "2026-11-23T18:39:02+24:00",
             "2026-11-23T18:39:02+0100",
             "2026-11-23T18:39:02Z ",
             " 2026-11-23T18:39:02Z",
             "-026-11-23T18:39:02Z",
             "+026-11-23T18:39:02Z",
             "2026-11-23T-8:39:02Z",
             "2026/11/23T18:39:02Z",
         }) {
        EXPECT_EQ(parse_rfc3339(bad), std::nullopt) << bad;
    }
}

TEST(Timestamp, SecondsAreWhole) {
    EXPECT_EQ(Timestamp{1'999'999}.seconds(), 1);
    EXPECT_EQ(Timestamp{2'000'000} - Timestamp{500'000}, microseconds(1'500'000));
}

TEST(ManualClock, MovesBothClocksOnlyWhenTold) {
    ManualClock clock(Timestamp{10});
    const SteadyTime begin = clock.steady();

    EXPECT_EQ(clock.now(), Timestamp{10});
    clock.advance(std::chrono::seconds(2));

    EXPECT_EQ(clock.now(), Timestamp{2'000'010});
    EXPECT_EQ(clock.steady() - begin, std::chrono::seconds(2));
}

TEST(RetentionClock, FollowsTheWallClockUnlessItIsSetAhead) {
    ManualClock clock(Timestamp{10});
    const RetentionClock retention(clock);
    clock.advance(std::chrono::hours(5));
    const Timestamp right = clock.now();
    EXPECT_EQ(retention.now(), right);

    clock.set(right + std::chrono::hours(24 * 365));
    EXPECT_EQ(retention.now(), right + RetentionClock::kSlack);
    clock.set(right + std::chrono::minutes(20));
    EXPECT_EQ(retention.now(), right + std::chrono::minutes(20));
    clock.set(right - std::chrono::hours(3));
    EXPECT_EQ(retention.now(), right - std::chrono::hours(3));
}

TEST(SystemClock, TellsTheTimeOfThisCentury) {
    const SystemClock clock;
    const SteadyTime before = clock.steady();

    EXPECT_GT(clock.now(), *parse_rfc3339("2024-01-01T00:00:00Z"));
    EXPECT_LT(clock.now(), *parse_rfc3339("2100-01-01T00:00:00Z"));
    EXPECT_GE(clock.steady(), before);
}

}  // namespace
}  // namespace quire
