#include "services/gateway/log_limit.hpp"

#include <gtest/gtest.h>

namespace quire::gateway {
namespace {

TEST(LogLimit, WritesSoManyLinesASecondAndCountsTheOthers) {
    ManualClock clock;
    LogLimit limit;
    for (int i = 0; i < LogLimit::kLinesPerSecond; ++i) EXPECT_EQ(limit.take(clock.steady()), 0);
    for (int i = 0; i < 7; ++i) EXPECT_EQ(limit.take(clock.steady()), std::nullopt);

    clock.advance(std::chrono::milliseconds(999));
    EXPECT_EQ(limit.take(clock.steady()), std::nullopt);
    clock.advance(std::chrono::milliseconds(1));

    EXPECT_EQ(limit.take(clock.steady()), 8);
    EXPECT_EQ(limit.take(clock.steady()), 0);
}

}  // namespace
}  // namespace quire::gateway
