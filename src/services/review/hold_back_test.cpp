#include "services/review/hold_back.hpp"

#include "services/review/reviewed_text.hpp"
#include "services/review/tool_arguments.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace quire::review {
namespace {

RuleConfig rule(std::string name, std::string kind, std::string action) {
    RuleConfig config;
    config.name = std::move(name);
    config.kind = std::move(kind);
    config.action = std::move(action);
    return config;
}

RuleConfig literal(std::string name, std::string action, std::vector<std::string> values) {
    RuleConfig config = rule(std::move(name), "literal", std::move(action));
    config.values = std::move(values);
    return config;
}

RuleConfig regex(std::string name, std::string action, std::string pattern) {
    RuleConfig config = rule(std::move(name), "regex", std::move(action));
    config.pattern = std::move(pattern);
    return config;
}

std::shared_ptr<const RuleSet> compiled(const std::vector<RuleConfig>& rules) {
    auto made = RuleSet::compile(rules);
    EXPECT_TRUE(made) << (made ? "" : made.error().message());
    return made ? *made : nullptr;
}

std::vector<RuleConfig> every_kind() {
    return {literal("banned", "block", {"forbidden phrase"}),
            rule("cards", "pii.card", "redact"),
            rule("mail", "pii.email", "redact"),
            rule("iban", "pii.iban", "redact"),
            rule("keys", "secret.api_key", "redact"),
            regex("wide", "redact", R"(BEGIN[a-z ]{0,400}END)")};
}

TEST(HoldBack, HoldsNoMoreThanWhatMayStillMatch) {
    const auto rules = compiled({literal("banned", "block", {"forbidden phrase"})});
    HoldBack stream(*rules);
    std::string out;

    ASSERT_TRUE(stream.push("This is forb", out));
    EXPECT_EQ(out, "This is ");
    ASSERT_TRUE(stream.push("earance.", out));
    EXPECT_EQ(out, "This is forbearance.");
    EXPECT_EQ(stream.held_bytes(), 0u);
}

TEST(HoldBack, OfTwoBlocksAtOnePlaceTheFirstOfTheListCounts) {
    // The second is known first: the two read different copies.
    RuleConfig exact = regex("first", "block", "ab.{4}z");
    exact.case_mode = "exact";
    const auto rules = compiled({exact, literal("second", "block", {"ab"})});
    HoldBack stream(*rules);
    std::string out;
    for (const char c : std::string_view("-abcdefz-")) ASSERT_TRUE(stream.push({&c, 1}, out));
    ASSERT_TRUE(stream.finish(out));

    ASSERT_NE(stream.blocked_by(), nullptr);
    EXPECT_EQ(stream.blocked_by()->name, "first");
    EXPECT_EQ(out, "-");
}

TEST(HoldBack, JoinsRedactionsThatOverlapAndCutsThemWhole) {
    const auto rules =
        compiled({literal("b", "redact", {"cdefg"}), literal("a", "redact", {"abcd"}),
                  literal("end", "block", {"fgh"})});

    EXPECT_EQ(review_text(*rules, "-abcdefg-").text, "-[redacted:a]-");
    EXPECT_EQ(review_text(*rules, "-abcdefgh-").text, "-[redacted:a]");
    EXPECT_EQ(review_text(*rules, "-fgh-").text, "-");
}

TEST(HoldBack, FlagsHoldNothing) {
    const auto rules = compiled({literal("word", "flag", {"bluebird"})});
    HoldBack stream(*rules);
    std::string out;

    ASSERT_TRUE(stream.push("blueb", out));
    EXPECT_EQ(out, "blueb");
    ASSERT_TRUE(stream.push("ird", out));
    ASSERT_TRUE(stream.finish(out));
    EXPECT_EQ(out, "bluebird");
    EXPECT_EQ(stream.tally(), Tally{1});
}

TEST(HoldBack, BoundsWhatItHoldsOnAMebibyteWithoutABreak) {
    const auto rules = compiled(every_kind());
    // A match of 512 bytes, each preceded by as many invisible characters as may vanish.
    constexpr std::size_t kHeldMax = 512 * (256 * 3 + 1);
    for (const std::string unit : {"a", "1", "1 ", "-", "a@", "\xCC\x81", "\xE2\x80\x8B", "\xFF",
                                   "begin", "e\xCC\x81", "DE89 ", "\xF0\x9F\x98\x80", "sk-"}) {
        std::string text;
        while (text.size() < (1 << 20)) text += unit;
        HoldBack stream(*rules);
        std::string out;
        std::size_t held = 0;
        for (std::size_t at = 0; at < text.size(); at += 64) {
            ASSERT_TRUE(stream.push(std::string_view(text).substr(at, 64), out));
            held = std::max(held, stream.held_bytes());
        }
        ASSERT_TRUE(stream.finish(out));

        EXPECT_LE(held, kHeldMax) << unit;
        EXPECT_EQ(out.size(), review_text(*rules, text).text.size()) << unit;
    }
}

TEST(HoldBack, HoldsNoAddressWhoseLastLabelIsTooLong) {
    const auto rules = compiled(every_kind());
    for (const std::string head : {"x@y.", "x@a.b.c.d.e.f."}) {
        HoldBack stream(*rules);
        std::string out;
        std::size_t held = 0;
        ASSERT_TRUE(stream.push(head, out));
        for (std::size_t at = 0; at < 16 * 1024; at += 64) {
            ASSERT_TRUE(stream.push(std::string(64, 'a'), out));
            held = std::max(held, stream.held_bytes());
        }
        ASSERT_TRUE(stream.finish(out));

        EXPECT_LE(held, 512u) << head;
        EXPECT_TRUE(out.starts_with("[redacted:mail]a")) << head;
    }
}

TEST(ReviewJson, KeepsValidJsonValidAndTheRestAsItWas) {
    const auto rules = compiled(every_kind());

    EXPECT_EQ(review_json(*rules, R"({ "a" : "x \"4111111111111111\"", "b":[1.50,null]})").text,
              R"({ "a" : "x \"[redacted:cards]\"", "b":[1.50,null]})");
    EXPECT_EQ(review_json(*rules, R"({"bob\u0040example.com":4111111111111111})").text,
              R"({"[redacted:mail]":"[redacted:cards]"})");
    EXPECT_EQ(review_json(*rules, R"({"a":"\u00e9\/"})").text, R"({"a":"\u00e9\/"})");
}

TEST(ReviewJson, ReviewsWhatIsNoJsonAsText) {
    const auto rules = compiled(every_kind());

    EXPECT_EQ(review_json(*rules, "call 4111 1111 1111 1111").text, "call [redacted:cards]");
    EXPECT_EQ(review_json(*rules, R"({"a":"f\u006frbidden phras)").text,
              R"({"a":"f\u006frbidden phras)");
    EXPECT_EQ(review_json(*rules, R"({"a":"x f\u006frbidden phrase)").text, R"({"a":"x )");
    EXPECT_EQ(review_json(*rules, R"({"a":1,"b":"bob\u0040example.com", )").text,
              R"({"a":1,"b":"[redacted:mail]", )");
}

TEST(ReviewJson, DecodesWhatItCanOfABrokenString) {
    const auto rules = compiled(every_kind());
    for (const std::string text : {
             R"({"a":"f\u006frbidden phrase \ud83d"})",
             R"({"a":"f\u006frbidden phrase \udc00\ud83d\u0041"})",
             R"({"a":"f\u006frbidden phrase\u00)",
             R"({"a":"f\u006frbidden phrase\u00"})",
             R"({"a":"f\u006frbidden phrase\)",
             R"({"a":"f\u006frbidden phrase\")",
             R"({"a":"f\u006frbidden phrase \q"})",
             R"({"a":"f\orbidden phr\u0061se"})",
             R"({"a":"\ud835\udc1forbidden phrase \ud83d"})",
             "{\"a\":\"f\\u006frbidden phrase\n\"}",
             "{\"a\":\"f\\u006frbidden phrase \xFF\"}",
         }) {
        const ReviewedText reviewed = review_json(*rules, text);

        EXPECT_EQ(reviewed.text, R"({"a":")") << text;
        ASSERT_NE(reviewed.blocked_by, nullptr) << text;
        EXPECT_EQ(reviewed.tally[0], 1) << text;
    }
}

TEST(ReviewJson, LetsABrokenStringThroughAsItIs) {
    const auto rules = compiled(every_kind());
    for (const std::string text : {
             R"({"a":"\ud83d \udc00\ud83d\u0041 \q \u00 \ux \u12)",
             R"({"a":"\ud83d\ude00 \b\f\n\r\t\/\\\"", "b":"\)",
             "{\"a\":\"line\nline \xFF\"}",
         }) {
        EXPECT_EQ(review_json(*rules, text).text, text);
    }
    EXPECT_EQ(review_json(*rules, R"({"a":"4111111111111111\u0021 \ud83d\u00)").text,
              "{\"a\":\"[redacted:cards]! \xEF\xBF\xBD");
}

TEST(ReviewJson, ReviewsAsTextWhatStandsBeforeABlockInAString) {
    const auto rules = compiled(every_kind());
    const ReviewedText card =
        review_json(*rules, R"(card 4111 1111 1111 1111 {"x":"forbidden phrase"})");
    const ReviewedText twice = review_json(*rules, R"(a forbidden phrase "forbidden phrase")");

    EXPECT_EQ(card.text, R"(card [redacted:cards] {"x":")");
    ASSERT_NE(card.blocked_by, nullptr);
    EXPECT_EQ(card.tally, (Tally{1, 1, 0, 0, 0, 0}));
    EXPECT_EQ(twice.text, "a ");
    ASSERT_NE(twice.blocked_by, nullptr);
    EXPECT_EQ(twice.tally, (Tally{1, 0, 0, 0, 0, 0}));
}

TEST(ReviewJson, OfABlockInTheTextAndOneInAStringTheFirstCounts) {
    const auto rules =
        compiled({literal("string", "block", {"secret"}), literal("text", "block", {"{x"})});
    const ReviewedText reviewed = review_json(*rules, R"(a {x "secret")");

    EXPECT_EQ(reviewed.text, "a ");
    ASSERT_NE(reviewed.blocked_by, nullptr);
    EXPECT_EQ(reviewed.blocked_by->name, "text");
    EXPECT_EQ(reviewed.tally, (Tally{0, 1}));
}

TEST(ReviewJson, CutsAtABlockAndNamesIt) {
    const auto rules = compiled(every_kind());
    const ReviewedText reviewed = review_json(*rules, R"({"a":"x","b":"a forbidden phrase"})");

    EXPECT_EQ(reviewed.text, R"({"a":"x","b":"a )");
    ASSERT_NE(reviewed.blocked_by, nullptr);
    EXPECT_EQ(reviewed.blocked_by->name, "banned");
}

}  // namespace
}  // namespace quire::review
