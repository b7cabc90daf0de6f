#include "services/review/normalizer.hpp"

#include <gtest/gtest.h>

namespace quire::review {
namespace {

/// The copy of a text that comes in pieces of `size` bytes.
std::string copy_in_pieces(std::string_view text, std::size_t size, CaseMode mode) {
    Normalizer normalizer(mode);
    MatchCopy copy;
    for (std::size_t at = 0; at < text.size(); at += size) {
        EXPECT_TRUE(normalizer.push(text.substr(at, size), copy));
    }
    EXPECT_TRUE(normalizer.finish(copy));
    return std::string(copy.text());
}

struct Forms {
    std::string raw;
    std::string fold;
    std::string exact;
};

const std::vector<Forms>& rows() {
    static const std::vector<Forms> all{
        {"Plain Text, 12:30\n", "plain text, 12:30\n", "Plain Text, 12:30\n"},
        {"ＦｕｌｌＷｉｄｔｈ ４１", "fullwidth 41", "FullWidth 41"},
        {"ﬁne ﬀ", "fine ff", "fine ff"},
        {"Straße", "strasse", "Straße"},
        {"e\xCC\x81t\xC3\xA9", "\xC3\xA9t\xC3\xA9", "\xC3\xA9t\xC3\xA9"},
        {"for\xE2\x80\x8B"
         "bid\xC2\xAD"
         "den\xF3\xA0\x81\xA1\xEF\xB8\x8F",
         "forbidden", "forbidden"},
        {"a\x01\x7F"
         "b\tc\r\n",
         "ab\tc\r\n", "ab\tc\r\n"},
        {"\xC2\xA0ⓐ𝐚", " aa", " aa"},
        {"\xC3\xE2\x82"
         "a\xFF",
         "\xEF\xBF\xBD\xEF\xBF\xBD"
         "a\xEF\xBF\xBD",
         "\xEF\xBF\xBD\xEF\xBF\xBD"
         "a\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD",
         "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF0\x9F\x98", "\xEF\xBF\xBD", "\xEF\xBF\xBD"},
        {"日本語 ﾊﾟ", "日本語 パ", "日本語 パ"},
    };
    return all;
}

TEST(Normalizer, MakesTheSameCopyWhateverThePieces) {
    for (const Forms& row : rows()) {
        for (std::size_t size = 1; size <= row.raw.size(); ++size) {
            EXPECT_EQ(copy_in_pieces(row.raw, size, CaseMode::kFold), row.fold) << row.raw;
            EXPECT_EQ(copy_in_pieces(row.raw, size, CaseMode::kExact), row.exact) << row.raw;
        }
    }
}

TEST(Normalizer, MapsEachByteBackToWhatItCameFrom) {
    const std::string raw =
        "aﬁ\xE2\x80\x8B"
        "e\xCC\x81z";
    Normalizer normalizer(CaseMode::kFold);
    MatchCopy copy;
    ASSERT_TRUE(normalizer.push(raw, copy));
    ASSERT_TRUE(normalizer.finish(copy));
    ASSERT_EQ(copy.text(), "afi\xC3\xA9z");

    const auto raw_of = [&](std::uint64_t begin, std::uint64_t end) {
        const RawSpan span = copy.raw_of(begin, end);
        return raw.substr(span.begin, span.end - span.begin);
    };
    EXPECT_EQ(raw_of(0, 1), "a");
    EXPECT_EQ(raw_of(2, 3), "ﬁ");
    EXPECT_EQ(raw_of(1, 4),
              "ﬁ\xE2\x80\x8B"
              "e\xCC\x81");
    EXPECT_EQ(raw_of(3, 6), "e\xCC\x81z");
}

TEST(Normalizer, KeepsBackTheBaseWhileMarksMayFollow) {
    Normalizer normalizer(CaseMode::kFold);
    MatchCopy copy;
    ASSERT_TRUE(normalizer.push("abe", copy));

    EXPECT_EQ(copy.text(), "ab");
    EXPECT_EQ(normalizer.raw_begin_of_rest(), 2u);
    ASSERT_TRUE(normalizer.push("\xCC", copy));
    EXPECT_EQ(normalizer.raw_begin_of_rest(), 2u);
    ASSERT_TRUE(normalizer.push("\x81.", copy));
    EXPECT_EQ(copy.text(), "ab\xC3\xA9.");
    EXPECT_EQ(normalizer.raw_begin_of_rest(), 6u);
}

TEST(Normalizer, BoundsMarksAndInvisibleCharactersByTheTextAlone) {
    std::string marks = "a";
    std::string hidden = "a";
    for (int i = 0; i < 100'000; ++i) {
        marks += "\xCC\x81";
        hidden += "\xE2\x80\x8B";
    }
    for (const std::string& text : {marks, hidden}) {
        Normalizer normalizer(CaseMode::kFold);
        MatchCopy copy;
        std::size_t fed = 0;
        for (; fed < text.size(); fed += 10) {
            ASSERT_TRUE(normalizer.push(std::string_view(text).substr(fed, 10), copy));
            ASSERT_LT(fed - std::min<std::size_t>(fed, normalizer.raw_begin_of_rest()), 1100u);
        }
        ASSERT_TRUE(normalizer.finish(copy));
        EXPECT_EQ(copy.text(), copy_in_pieces(text, 4096, CaseMode::kFold));
    }
}

}  // namespace
}  // namespace quire::review
