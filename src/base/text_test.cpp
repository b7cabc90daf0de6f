#include "base/text.hpp"

#include <gtest/gtest.h>

#include <string>

namespace quire {
namespace {

std::string repeated(std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
}

TEST(BeginningOf, CutsBetweenCharacters) {
    EXPECT_EQ(beginning_of("abc", 3), "abc");
    EXPECT_EQ(beginning_of("abc", 2), "ab");
    EXPECT_EQ(beginning_of("abc", 0), "");
    EXPECT_EQ(beginning_of("aé", 3), "aé");
    EXPECT_EQ(beginning_of("aé", 2), "a");
    for (std::size_t most = 1; most <= 4; ++most) EXPECT_EQ(beginning_of("a🐝", most), "a") << most;
    EXPECT_EQ(beginning_of("a🐝b", 5), "a🐝");
}

TEST(BeginningOf, EndsWhereNoCharacterBegins) {
    EXPECT_EQ(beginning_of(std::string(9, '\x80'), 5), "");
    EXPECT_EQ(beginning_of("\xff\xff\xff", 2), "\xff\xff");
}

TEST(Excerpt, IsAllOfAShortText) {
    EXPECT_EQ(excerpt(""), "");
    EXPECT_EQ(excerpt(std::string(100, 'x')), std::string(100, 'x'));
    EXPECT_EQ(excerpt(repeated("é", 50)), repeated("é", 50));
}

TEST(Excerpt, HasAtMostAHundredBytesAndSaysThatThereWereMore) {
    EXPECT_EQ(excerpt(std::string(101, 'x')), std::string(97, 'x') + "…");
    EXPECT_EQ(excerpt(std::string(10'000'000, 'x')), std::string(97, 'x') + "…");
    EXPECT_EQ(excerpt(std::string(99, 'x') + "éé"), std::string(97, 'x') + "…");
    EXPECT_EQ(excerpt(repeated("é", 60)), repeated("é", 48) + "…");
    EXPECT_EQ(excerpt(repeated("🐝", 30)), repeated("🐝", 24) + "…");
}

TEST(CharactersIn, CountsCodePoints) {
    EXPECT_EQ(characters_in(""), 0U);
    EXPECT_EQ(characters_in("abc"), 3U);
    EXPECT_EQ(characters_in("é€🐝"), 3U);
    EXPECT_EQ(characters_in("e\u0301"), 2U);
}

}  // namespace
}  // namespace quire
