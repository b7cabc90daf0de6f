#include "services/review/live_prefix.hpp"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <vector>

namespace quire::review {
namespace {

struct Pattern {
    std::string pattern;
    std::vector<std::string> matches;
};

TEST(LivePrefix, AcceptsEveryBeginningOfEveryMatch) {
    for (const Pattern& row : {
             Pattern{"abc", {"abc"}},
             Pattern{R"(\bab?c{2,3}\b)", {"acc", "abccc"}},
             Pattern{"a{3}", {"aaa"}},
             Pattern{"(?:ab|cde)f", {"abf", "cdef"}},
             Pattern{"(?:a{1,2}b){1,3}c", {"abc", "aabababc", "aabaabaabc"}},
             Pattern{"(?P<name>x|yz){2}w?", {"xyz", "yzyzw"}},
             Pattern{"(?i)AbC|d", {"abc", "ABC", "D"}},
             Pattern{R"([^a-c\]\s]{2}[[:digit:]]\.)", {"xy1.", "zz9."}},
             Pattern{R"(\d{2}\x41\x{e9}\pL)", {"12Aéz"}},
             Pattern{"é(?:ü|日本){1,2}.", {"éü日本x", "é日本ü."}},
             Pattern{"^a$", {"a"}},
             Pattern{"a??b{1,2}?", {"abb", "b"}},
             Pattern{R"(\$\{\w{1,3}\}|-)", {"${abc}", "-"}},
         }) {
        const auto live = live_prefix_of(row.pattern);
        ASSERT_TRUE(live) << row.pattern;
        const re2::RE2 regex("(?:" + *live + ")");
        ASSERT_TRUE(regex.ok()) << *live;
        for (const std::string& match : row.matches) {
            ASSERT_TRUE(re2::RE2::FullMatch(match, row.pattern)) << row.pattern << " " << match;
            for (std::size_t size = 0; size <= match.size(); ++size) {
                const bool is_inside =
                    size < match.size() && (static_cast<unsigned char>(match[size]) & 0xC0) == 0x80;
                if (is_inside) continue;
                EXPECT_TRUE(re2::RE2::FullMatch(match.substr(0, size), regex))
                    << row.pattern << " " << match.substr(0, size);
            }
        }
    }
}

TEST(LivePrefix, LetsGoOfWhatIsNoBeginning) {
    const auto live = live_prefix_of(R"(\bkey-[0-9]{4})");

    ASSERT_TRUE(live);
    for (const char* other : {"x", "ke-", "key-12345", "ey"}) {
        EXPECT_FALSE(re2::RE2::FullMatch(other, *live)) << other;
    }
}

TEST(LivePrefix, RefusesWhatItDoesNotUnderstand) {
    for (const char* pattern : {R"(\Qa.b\E)", "a(?i)b", "(?=a)", "(a", "a)", "[a", R"(\)",
                                "a{2}{3}", "a{x}", "*a", R"(\1)", R"(\C)", "a(?i"}) {
        EXPECT_FALSE(live_prefix_of(pattern)) << pattern;
    }
}

}  // namespace
}  // namespace quire::review
