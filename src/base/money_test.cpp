#include "base/money.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string_view>

namespace quire {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

TEST(Money, AddAndSubtract) {
    EXPECT_EQ(checked_add({2}, {3}), Money{5});
    EXPECT_EQ(checked_subtract({2}, {3}), Money{-1});
    EXPECT_EQ(checked_add({kMax - 1}, {1}), Money{kMax});
    EXPECT_EQ(checked_subtract({kMin + 1}, {1}), Money{kMin});
}

TEST(Money, NeverWrap) {
    EXPECT_EQ(checked_add({kMax}, {1}), std::nullopt);
    EXPECT_EQ(checked_add({kMin}, {-1}), std::nullopt);
    EXPECT_EQ(checked_subtract({kMin}, {1}), std::nullopt);
    EXPECT_EQ(checked_subtract({0}, {kMin}), std::nullopt);
}

TEST(CostOf, RoundsUpOnceOverAllLines) {
    struct Row {
        std::array<PricedTokens, 2> lines;
        std::int64_t micros;
    };
    for (const Row& row : {
             Row{{{{0, 150'000}, {0, 600'000}}}, 0},
             Row{{{{10, 150'000}, {0, 600'000}}}, 2},  // 1.5
             Row{{{{1, 1}, {1, 1}}}, 1},               // 0.000002, not 1 + 1
             Row{{{{1'000'000, 7}, {0, 0}}}, 7},       // exact: nothing is added
             Row{{{{1'000'000, 7}, {1, 1}}}, 8},
             Row{{{{10, 150'000}, {20, 600'000}}}, 14},  // 1.5 + 12
             Row{{{{kMax, 1'000'000}, {0, 0}}}, kMax},
             Row{{{{kMax - 1, 1'000'000}, {1, 1}}}, kMax},  // rounded up to the last that fits
         }) {
        EXPECT_EQ(cost_of(row.lines), Money{row.micros});
    }
}

TEST(CostOf, RefusesNegativeInputAndWhatDoesNotFit) {
    struct Row {
        std::array<PricedTokens, 2> lines;
        std::string_view why;
    };
    for (const Row& row : {
             Row{{{{-1, 5}, {0, 0}}}, "negative tokens"},
             Row{{{{5, -1}, {0, 0}}}, "negative price"},
             Row{{{{0, 0}, {-1, 0}}}, "negative tokens that cost nothing"},
             Row{{{{kMax, 1'000'000}, {1, 1}}}, "one above 64 bits by rounding"},
             Row{{{{kMax, 1'000'001}, {0, 0}}}, "above 64 bits"},
             Row{{{{kMax, kMax}, {kMax, kMax}}}, "far above 64 bits"},
         }) {
        EXPECT_EQ(cost_of(row.lines), std::nullopt) << row.why;
    }
}

TEST(CostOf, NothingCostsNothing) { EXPECT_EQ(cost_of({}), Money{0}); }

}  // namespace
}  // namespace quire
