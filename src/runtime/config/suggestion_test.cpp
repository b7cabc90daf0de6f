#include "runtime/config/suggestion.hpp"

#include <gtest/gtest.h>

namespace quire::config {
namespace {

TEST(ClosestName, IsTheOneWithTheFewestEdits) {
    const std::vector<std::string> names{"limits", "models", "providers", "log"};
    struct Row {
        std::string_view wanted;
        std::string_view closest;
    };
    for (const Row& row : {Row{"limits", "limits"}, Row{"limit", "limits"}, Row{"modles", "models"},
                           Row{"provider", "providers"}, Row{"logs", "log"}, Row{"", "log"}}) {
        EXPECT_EQ(closest_name(row.wanted, names), row.closest) << row.wanted;
    }
}

TEST(ClosestName, OfNoNamesIsNone) { EXPECT_EQ(closest_name("limits", {}), ""); }

}  // namespace
}  // namespace quire::config
