#include "base/words.hpp"

#include <gtest/gtest.h>

#include <string>

namespace quire {
namespace {

std::string accents(int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += "é";
    return out;
}

TEST(CheckWord, TakesLowerCaseWordsOfUpToSixtyFour) {
    for (const std::string& word :
         {std::string("a"), std::string("blog_post-2.1"), std::string(64, 'z'), std::string("0")}) {
        EXPECT_TRUE(check_word("name", word)) << word;
    }
    for (const std::string& word : {std::string(), std::string(65, 'z'), std::string("A"),
                                    std::string("a b"), std::string("a/b"), std::string("ä"),
                                    std::string("a\0b", 3), std::string("."), std::string("..")}) {
        const auto checked = check_word("name", word);

        ASSERT_FALSE(checked) << word;
        EXPECT_EQ(checked.error().code(), ErrorCode::kInvalidValue);
        EXPECT_EQ(checked.error().detail("param"), "name");
    }
}

TEST(CheckName, CountsCharactersAndNoBytes) {
    for (const std::string& name : {std::string("x"), std::string(100, 'x'), accents(100)}) {
        EXPECT_TRUE(check_name(name)) << name;
    }
    for (const std::string& name : {std::string(), std::string(101, 'x'), accents(101)}) {
        const auto checked = check_name(name);

        ASSERT_FALSE(checked) << name;
        EXPECT_EQ(checked.error().code(), ErrorCode::kInvalidValue);
        EXPECT_EQ(checked.error().detail("param"), "name");
    }
}

TEST(CheckName, RefusesControlCharacters) {
    for (const std::string& name :
         {std::string("\x1b[2J"), std::string("a\nb"), std::string("\x7f"), std::string("\0", 1)}) {
        EXPECT_FALSE(check_name(name));
    }
}

TEST(CheckScope, KnowsEveryScope) {
    for (const std::string_view scope : all_scopes()) EXPECT_TRUE(check_scope(scope)) << scope;
    for (const std::string_view scope : {"", "everything", "Inference", "inference "}) {
        const auto checked = check_scope(scope);

        ASSERT_FALSE(checked) << scope;
        EXPECT_EQ(checked.error().code(), ErrorCode::kInvalidValue);
        EXPECT_EQ(checked.error().detail("param"), "scopes");
    }
}

TEST(CheckRequestStatus, KnowsEveryEnd) {
    for (const std::string_view status : {"completed", "blocked", "failed", "cancelled"}) {
        EXPECT_TRUE(check_request_status(status)) << status;
    }
    for (const std::string_view status : {"", "done"}) {
        EXPECT_FALSE(check_request_status(status)) << status;
    }
}

TEST(Words, NoRefusalQuotesAllOfALongText) {
    const std::string large(5'000'000, 'X');

    EXPECT_LT(check_word("label", large).error().message().size(), 300U);
    EXPECT_LT(check_name(large).error().message().size(), 300U);
    EXPECT_LT(check_scope(large).error().message().size(), 300U);
    EXPECT_LT(check_request_status(large).error().message().size(), 300U);
}

}  // namespace
}  // namespace quire
