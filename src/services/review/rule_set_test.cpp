#include "services/review/rule_set.hpp"

#include "services/review/policies.hpp"
#include "services/review/reviewed_text.hpp"

#include <gtest/gtest.h>

namespace quire::review {
namespace {

using enum ErrorCode;

RuleConfig rule(std::string kind, std::string action) {
    RuleConfig config;
    config.name = "rule";
    config.kind = std::move(kind);
    config.action = std::move(action);
    return config;
}

RuleConfig regex(std::string pattern) {
    RuleConfig config = rule("regex", "block");
    config.pattern = std::move(pattern);
    return config;
}

RuleConfig literal(std::vector<std::string> values, std::string action = "block") {
    RuleConfig config = rule("literal", std::move(action));
    config.values = std::move(values);
    return config;
}

/// The message of the refusal.
std::string refusal(const RuleConfig& config, ErrorCode code) {
    const auto made = RuleSet::compile({config});
    if (made) return "accepted";
    EXPECT_EQ(made.error().code(), code) << made.error().message();
    return made.error().message();
}

TEST(RuleSet, RefusesPatternsWithoutBoundOrText) {
    struct Row {
        std::string pattern;
        std::string_view why;
    };
    for (const Row& row : {
             Row{"a*", "can match the empty text"},
             Row{"^", "can match the empty text"},
             Row{"a?b{0,3}", "can match the empty text"},
             Row{"ab+", "has no longest match"},
             Row{"a{513}", "can match 513 bytes; at most 512"},
             Row{".{1,129}", "can match 516 bytes"},
             Row{"[^\\x00-\\x{10FFFF}]", "can never match"},
             Row{"a\\bb", "can never match"},
             Row{"(a", "is no RE2 syntax"},
             Row{"(?=a)b", "is no RE2 syntax"},
             Row{"\\C", "has no known width"},
         }) {
        EXPECT_NE(refusal(regex(row.pattern), kInvalidValue).find(row.why), std::string::npos)
            << row.pattern << ": " << refusal(regex(row.pattern), kInvalidValue);
    }
    EXPECT_TRUE(RuleSet::compile({regex(".{1,128}")}));
    EXPECT_TRUE(RuleSet::compile({regex("a{512}")}));
}

TEST(RuleSet, RefusesPatternsWithACharacterThatTheCopyNeverHas) {
    struct Row {
        std::string pattern;
        std::string_view why;
        std::string case_mode = "fold";
    };
    for (const Row& row : {
             Row{R"(Geheimstraße \d{1,4})",
                 "has 'ß' (U+00DF), which the copy that rules look at "
                 "never has; write 'ss' instead"},
             Row{R"(a\x{DF}b)", "has 'ß' (U+00DF)"},
             Row{R"(a\xDFb)", "has 'ß' (U+00DF)"},
             Row{R"(\Q[ß\E)", "has 'ß' (U+00DF)"},
             Row{R"([[:digit:]\]]ß)", "has 'ß' (U+00DF)"},
             Row{"(?:ﬁ|x)", "write 'fi' instead"},
             Row{"Ａ", "write 'a' instead"},
             Row{"Ａ", "write 'A' instead", "exact"},
             Row{"a．b", "write '\\.' instead"},
             Row{"a\u00ADb", "(U+00AD), which the copy that rules look at never has; leave it out"},
         }) {
        RuleConfig config = regex(row.pattern);
        config.case_mode = row.case_mode;
        const std::string told = refusal(config, kInvalidValue);
        EXPECT_NE(told.find(row.why), std::string::npos) << row.pattern << ": " << told;
    }
}

TEST(RuleSet, TakesPatternsWhoseCharactersTheCopyMayHave) {
    for (const std::string pattern :
         {"É", "ς", "ſ", "\u212A", "日本", "[a-zß]{2}", R"([\]ß]a)", R"(\x{E9})", R"(\x41)",
          R"(\pL)", R"(\p{Greek})", "😀", "(?P<name>ä)"}) {
        const auto made = RuleSet::compile({regex(pattern)});
        EXPECT_TRUE(made) << (made ? "" : made.error().message());
    }
    RuleConfig exact = regex("Geheimstraße");
    exact.case_mode = "exact";
    EXPECT_TRUE(RuleSet::compile({exact}));
}

TEST(RuleSet, RefusesFieldsThatDoNotBelong) {
    RuleConfig values = regex("a");
    values.values = {"x"};
    EXPECT_EQ(refusal(values, kUnsupportedParameter),
              "rule: values: only kind literal has it, this is regex");
    RuleConfig pattern = rule("pii.card", "flag");
    pattern.pattern = "a";
    EXPECT_EQ(refusal(pattern, kUnsupportedParameter),
              "rule: pattern: only kind regex has it, this is pii.card");
    RuleConfig mode = rule("pii.card", "flag");
    mode.case_mode = "exact";
    EXPECT_EQ(refusal(mode, kUnsupportedParameter),
              "rule: case: only kind literal or regex has it, this is pii.card");
    RuleConfig replacement = rule("pii.card", "block");
    replacement.replacement = "x";
    EXPECT_EQ(refusal(replacement, kUnsupportedParameter),
              "rule: replacement: only action redact has it, this is block");
}

TEST(RuleSet, RefusesWhatIsMissingOrUnknown) {
    EXPECT_EQ(refusal(rule("regex", "block"), kMissingRequiredParameter),
              "rule: pattern: a regex rule has one");
    EXPECT_EQ(refusal(literal({}), kMissingRequiredParameter),
              "rule: values: a literal rule has at least one text");
    EXPECT_EQ(refusal(rule("", "block"), kMissingRequiredParameter),
              "rule: kind: every rule has name, kind and action");
    EXPECT_NE(refusal(rule("pii.phone", "block"), kInvalidValue).find("pii.email"),
              std::string::npos);
}

TEST(RuleSet, RefusesLiteralsThatMatchNothing) {
    EXPECT_NE(refusal(literal({"ok", "\xE2\x80\x8B"}), kInvalidValue).find("values[1]"),
              std::string::npos);
    EXPECT_NE(refusal(literal({""}), kInvalidValue).find("values[0]"), std::string::npos);
    EXPECT_NE(refusal(literal({std::string(513, 'a')}), kInvalidValue).find("513"),
              std::string::npos);
}

TEST(RuleSet, RefusesANameTwiceAndAReplacementThatIsMatched) {
    const auto twice = RuleSet::compile({regex("a"), regex("b")});
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().message(), "rule: name: stands twice in this list");
    EXPECT_NE(refusal(literal({"redacted"}, "redact"), kInvalidValue).find("[redacted:rule]"),
              std::string::npos);
}

TEST(RuleSet, ChangesTextOnlyWithARedactionOrABlock) {
    const auto flags = RuleSet::compile({rule("pii.card", "flag")});
    const auto blocks = RuleSet::compile({rule("pii.card", "block")});

    ASSERT_TRUE(flags);
    ASSERT_TRUE(blocks);
    EXPECT_FALSE((*flags)->can_change_text());
    EXPECT_TRUE((*blocks)->can_change_text());
}

TEST(Policies, PickTheProjectsOwnOrTheDefault) {
    ReviewConfig config;
    config.policies = {{"default", {{}, {rule("pii.card", "flag")}}}, {"none", {}}};
    config.projects = {{"prj_1", "none"}, {"prj_2", "default"}};
    const auto policies = Policies::compile(config);

    ASSERT_TRUE(policies);
    EXPECT_TRUE(policies->of_project("prj_1").output->is_empty());
    EXPECT_FALSE(policies->of_project("prj_2").output->is_empty());
    EXPECT_FALSE(policies->of_project("prj_3").output->is_empty());
    const auto empty = Policies::compile(ReviewConfig());
    ASSERT_TRUE(empty);
    EXPECT_TRUE(empty->of_project("prj_1").input->is_empty());
}

TEST(Policies, NameAPolicyThatDoesNotExist) {
    ReviewConfig config;
    config.policies = {{"strict", {}}};
    config.projects = {{"prj_1", "strct"}};
    const auto policies = Policies::compile(config);

    ASSERT_FALSE(policies);
    EXPECT_EQ(policies.error().message(),
              "projects: prj_1: there is no policy 'strct'; did you mean 'strict'?");
}

struct Kind {
    std::string kind;
    std::string text;
    std::string redacted;
};

TEST(Rules, FindWhatTheirKindSays) {
    for (const Kind& row : {
             Kind{"pii.card", "4111111111111111", "-"},
             Kind{"pii.card", "x4111-1111 1111-1111y", "x-y"},
             Kind{"pii.card", "４１１１ 1111 1111 1111", "-"},
             Kind{"pii.card", "4111\u20101111\u20111111\u20121111", "-"},
             Kind{"pii.card", "x4111\u20131111\u20141111\u22121111y", "x-y"},
             Kind{"pii.card", "4111\u20151111 1111-1111", "-"},
             Kind{"pii.card", "4111\u2013 1111 1111 1111", "4111\u2013 1111 1111 1111"},
             Kind{"pii.card", "4111\u20161111 1111 1111", "4111\u20161111 1111 1111"},
             Kind{"pii.card", "4111 1111 1111 1111\u2014", "-\u2014"},
             Kind{"pii.card", "4111  1111 1111 1111", "4111  1111 1111 1111"},
             Kind{"pii.card", "4111.1111.1111.1111", "4111.1111.1111.1111"},
             Kind{"pii.card", "4111111111111112", "4111111111111112"},
             Kind{"pii.card", "41111111111111110000", "41111111111111110000"},
             Kind{"pii.card", "12 4111 1111 1111 1111 35", "12 - 35"},
             Kind{"pii.card", "378282246310005", "-"},
             Kind{"pii.email", "<a.b+c@mail.example.co.uk>", "<->"},
             Kind{"pii.email", "a@b", "a@b"},
             Kind{"pii.email", "BOB@EXAMPLE.COM.", "-."},
             Kind{"pii.iban", "DE89 3704 0044 0532 0130 00.", "-."},
             Kind{"pii.iban", "gb82west12345698765432", "-"},
             Kind{"pii.iban", "DE89370400440532013001", "DE89370400440532013001"},
             Kind{"pii.iban", "xDE89370400440532013000", "xDE89370400440532013000"},
             Kind{"pii.iban", "DE893704004405320130001", "DE893704004405320130001"},
             Kind{"secret.api_key", "qk_live_NobodyEverMadeThisKey0000000000000000000000_1UfMMm",
                  "-"},
             Kind{"secret.api_key", "qk_live_NobodyEverMadeThisKey0000000000000000000000_1UfMMn",
                  "qk_live_NobodyEverMadeThisKey0000000000000000000000_1UfMMn"},
             Kind{"secret.api_key", "=AKIAIOSFODNN7EXAMPLE;", "=-;"},
             Kind{"secret.api_key", "a sk-ant-api03-abcdefghijklmnop b", "a - b"},
             Kind{"secret.api_key",
                  "-----BEGIN EC"
                  " PRIVATE KEY-----",
                  "-"},
             Kind{"secret.api_key", "task-abcdefghijklmnopqrstuvwxyz",
                  "task-abcdefghijklmnopqrstuvwxyz"},
         }) {
        RuleConfig config = rule(row.kind, "redact");
        config.replacement = "-";
        const auto rules = RuleSet::compile({config});
        ASSERT_TRUE(rules);

        EXPECT_EQ(review_text(**rules, row.text).text, row.redacted) << row.kind;
    }
}

}  // namespace
}  // namespace quire::review
