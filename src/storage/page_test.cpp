#include "storage/page.hpp"

#include <gtest/gtest.h>

namespace quire::storage {
namespace {

common::v1::PageRequest page_of(std::int32_t limit, const std::string& after = "") {
    common::v1::PageRequest page;
    page.set_limit(limit);
    page.set_after(after);
    return page;
}

TEST(Page, HasALimit) {
    EXPECT_EQ(*page_limit(page_of(0)), 50);
    EXPECT_EQ(*page_limit(page_of(1)), 1);
    EXPECT_EQ(*page_limit(page_of(1000)), 1000);
    for (const std::int32_t limit : {-1, 1001}) {
        const auto refused = page_limit(page_of(limit));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidValue);
        EXPECT_EQ(refused.error().detail("param"), "limit");
    }
}

TEST(Page, BeginsAfterAnIdOfItsKind) {
    EXPECT_TRUE(check_cursor(page_of(0), "key", "a key"));
    EXPECT_TRUE(check_cursor(page_of(0, "key_01ARZ3NDEKTSV4RRFFQ69G5FAV"), "key", "a key"));
    for (const char* after : {"zz", "req_01ARZ3NDEKTSV4RRFFQ69G5FAV", "key_01ARZ3NDEK"}) {
        const auto refused = check_cursor(page_of(0, after), "key", "a key");
        ASSERT_FALSE(refused) << after;
        EXPECT_EQ(refused.error().message(), "after must be the id of a key, key_…");
        EXPECT_EQ(refused.error().detail("param"), "after");
    }
}

TEST(Page, IsCutWhereThereIsMore) {
    std::vector<int> rows{1, 2, 3};
    EXPECT_FALSE(cut_page(rows, 3));
    EXPECT_EQ(rows.size(), 3U);
    EXPECT_TRUE(cut_page(rows, 2));
    EXPECT_EQ(rows, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace quire::storage
