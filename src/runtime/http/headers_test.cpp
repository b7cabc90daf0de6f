#include "runtime/http/headers.hpp"

#include <gtest/gtest.h>

namespace quire::http {
namespace {

TEST(Headers, AreFoundWithoutRegardToCase) {
    Headers headers;
    headers.add("Content-Type", "text/plain");
    headers.add("X-A", "");

    EXPECT_EQ(headers.find("content-type"), "text/plain");
    EXPECT_EQ(headers.find("CONTENT-TYPE"), "text/plain");
    EXPECT_EQ(headers.find("content-typ"), "");
    EXPECT_TRUE(headers.contains("x-a"));
    EXPECT_FALSE(headers.contains("x-b"));
}

TEST(Headers, KeepRepeatedFieldsInTheirOrder) {
    Headers headers;
    headers.add("a", "1");
    headers.add("b", "2");
    headers.add("A", "3");

    EXPECT_EQ(headers.size(), 3u);
    EXPECT_EQ(headers.count("a"), 2u);
    EXPECT_EQ(headers.find("a"), "1");
    EXPECT_EQ(headers.at(2), (std::pair<std::string_view, std::string_view>("A", "3")));
}

TEST(EqualsIgnoringCase, FoldsAsciiLettersOnly) {
    EXPECT_TRUE(equals_ignoring_case("aZ-9", "Az-9"));
    EXPECT_FALSE(equals_ignoring_case("a", "ab"));
    EXPECT_FALSE(equals_ignoring_case("[", "{"));                // 0x5B and 0x7B, 32 apart
    EXPECT_FALSE(equals_ignoring_case("\xC3\x84", "\xC3\xA4"));  // Ä and ä
}

TEST(Trimmed, TakesBlanksAndTabsOffBothEnds) {
    EXPECT_EQ(trimmed(" \t a b\t "), "a b");
    EXPECT_EQ(trimmed("a"), "a");
    EXPECT_EQ(trimmed(" \t "), "");
    EXPECT_EQ(trimmed(""), "");
}

}  // namespace
}  // namespace quire::http
