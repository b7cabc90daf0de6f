#include "app/modules.hpp"

#include <gtest/gtest.h>

namespace quire::app {
namespace {

using Names = std::vector<std::string>;

Names names_of(const std::vector<const ModuleSpec*>& order) {
    Names names;
    for (const ModuleSpec* spec : order) names.push_back(spec->name);
    return names;
}

/// The order of these modules, or the message of the error.
Names order_of(const std::vector<ModuleSpec>& modules) {
    const auto order = start_order(modules);
    if (order) return names_of(*order);
    EXPECT_EQ(order.error().code(), ErrorCode::kInternalError);
    return {order.error().message()};
}

TEST(StartOrder, KeepsTheTablesOrderWhereNothingNeedsAnything) {
    EXPECT_EQ(order_of({{"b", {}, {}}, {"a", {}, {}}, {"c", {}, {}}}), (Names{"b", "a", "c"}));
    EXPECT_EQ(order_of({}), Names{});
}

TEST(StartOrder, PutsEachBehindWhatItNeedsOnce) {
    EXPECT_EQ(order_of({{"gateway", {"auth", "prompts"}, {}},
                        {"prompts", {"inference", "auth"}, {}},
                        {"inference", {}, {}},
                        {"auth", {}, {}}}),
              (Names{"auth", "inference", "prompts", "gateway"}));
}

TEST(StartOrder, NamesAModuleOfACycle) {
    EXPECT_EQ(order_of({{"a", {"b"}, {}}, {"b", {"c"}, {}}, {"c", {"a"}, {}}}),
              Names{"module cycle at 'a'"});
    EXPECT_EQ(order_of({{"a", {}, {}}, {"b", {"b"}, {}}}), Names{"module cycle at 'b'"});
}

TEST(StartOrder, NamesWhatIsUnknownAndWhoNeedsIt) {
    EXPECT_EQ(order_of({{"a", {"credits"}, {}}}), Names{"no such module 'credits', needed by 'a'"});
}

TEST(AllModules, CanAllBeStarted) {
    const auto order = start_order(all_modules());

    ASSERT_TRUE(order);
    EXPECT_EQ(order->size(), all_modules().size());
    EXPECT_EQ(order->back()->name, "gateway");  // requests come in when all else is there
    for (const ModuleSpec& spec : all_modules()) EXPECT_TRUE(spec.make) << spec.name;
}

}  // namespace
}  // namespace quire::app
