#include "base/result.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace quire {
namespace {

Error not_found() { return {ErrorCode::kNotFound, "nothing there"}; }

Result<int> half_of(int value) {
    if (value % 2 != 0) return Error(ErrorCode::kInvalidValue, "odd");
    return value / 2;
}

Result<std::string> quarter_of(int value) {
    QUIRE_TRY(const int half, half_of(value));
    QUIRE_TRY(const int quarter, half_of(half));
    return std::to_string(quarter);
}

TEST(Result, HoldsAValueOrAnError) {
    const Result<int> value = 5;
    const Result<int> error = not_found();

    ASSERT_TRUE(value);
    EXPECT_EQ(*value, 5);
    ASSERT_FALSE(error);
    EXPECT_EQ(error.error().code(), ErrorCode::kNotFound);
}

TEST(Result, OfNothingSucceedsByDefault) {
    const Result<void> done;
    const Result<void> failed = not_found();

    EXPECT_TRUE(done);
    EXPECT_FALSE(failed);
}

TEST(Result, GivesAMoveOnlyValueOut) {
    Result<std::unique_ptr<int>> made = std::make_unique<int>(5);
    ASSERT_TRUE(made);

    const std::unique_ptr<int> taken = *std::move(made);

    EXPECT_EQ(*taken, 5);
}

TEST(Result, ReachesMembersOfItsValue) {
    Result<std::string> text = "abc";
    ASSERT_TRUE(text);

    text->push_back('d');

    EXPECT_EQ(text->size(), 4u);
    EXPECT_EQ(*text, "abcd");
}

TEST(QuireTry, BindsTheValues) {
    const auto quarter = quarter_of(8);

    ASSERT_TRUE(quarter);
    EXPECT_EQ(*quarter, "2");
}

TEST(QuireTry, ReturnsTheFirstError) {
    for (const int bad : {7, 6}) {
        const auto quarter = quarter_of(bad);

        ASSERT_FALSE(quarter);
        EXPECT_EQ(quarter.error().message(), "odd");
    }
}

TEST(ResultDeathTest, RefusesToGiveWhatItDoesNotHold) {
    Result<int> value = 5;
    Result<int> error = not_found();

    EXPECT_DEATH(static_cast<void>(value.error()), "holds a value");
    EXPECT_DEATH(static_cast<void>(*error), "holds an error");
    EXPECT_FALSE(error);
}

#ifdef QUIRE_CHECK_RESULTS
void drop(ErrorCode code) {
    const Result<int> dropped = Error(code, "nobody saw me");
    static_cast<void>(dropped);
}

void overwrite() {
    Result<int> result = not_found();
    result = 5;
}

void drop_the_copy_of_a_seen_one() {
    const Result<int> seen = not_found();
    ignore(seen, "it is its copy that is dropped");
    const Result<int> copy = seen;
    static_cast<void>(copy);
}

TEST(ResultDeathTest, AnUnreadErrorAborts) {
    EXPECT_DEATH(drop(ErrorCode::kNotFound), "nobody saw me");
    EXPECT_DEATH(overwrite(), "dropped unread");
    EXPECT_DEATH(drop_the_copy_of_a_seen_one(), "dropped unread");
}

TEST(Result, ACancelledOneMayDieUnread) { drop(ErrorCode::kCancelled); }

TEST(Result, WhatWasMovedFromOwesNothing) {
    Result<int> first = not_found();
    const Result<int> second = std::move(first);

    EXPECT_FALSE(second);
}
#endif

}  // namespace
}  // namespace quire
