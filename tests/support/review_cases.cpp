#include "tests/support/review_cases.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace quire::test {
namespace {

using review::RuleConfig;

RuleConfig rule(std::string name, std::string kind, std::string action) {
    RuleConfig config;
    config.name = std::move(name);
    config.kind = std::move(kind);
    config.action = std::move(action);
    return config;
}

RuleConfig literal(std::string name, std::string action, std::vector<std::string> values,
                   std::string case_mode = "fold") {
    RuleConfig config = rule(std::move(name), "literal", std::move(action));
    config.values = std::move(values);
    config.case_mode = std::move(case_mode);
    return config;
}

RuleConfig regex(std::string name, std::string action, std::string pattern,
                 std::string case_mode = "fold") {
    RuleConfig config = rule(std::move(name), "regex", std::move(action));
    config.pattern = std::move(pattern);
    config.case_mode = std::move(case_mode);
    return config;
}

std::vector<std::vector<RuleConfig>> fixed_lists() {
    return {
        {literal("banned", "block", {"forbidden phrase", "straße", "ﬁne", "é"})},
        {rule("cards", "pii.card", "redact"), rule("mail", "pii.email", "redact"),
         rule("iban", "pii.iban", "redact"), rule("keys", "secret.api_key", "block")},
        {rule("cards", "pii.card", "block"), rule("mail", "pii.email", "flag"),
         rule("iban", "pii.iban", "block"), rule("keys", "secret.api_key", "redact")},
        {literal("a", "redact", {"abab", "ba", "abc", "bcab", "aa"}),
         literal("b", "flag", {"ab", "b"}), regex("c", "redact", "a[bc]{1,4}a")},
        {regex("word", "redact", R"(\bab{1,3}\b)"), regex("start", "redact", "^(?:ab|ba)"),
         regex("line", "flag", "(?m)^b{1,5}$"), regex("end", "redact", R"(c{1,3}\z)"),
         literal("exact", "block", {"ABBA"}, "exact")},
        {regex("quoted", "redact", R"(\Qa.b\E)"), regex("not", "flag", R"(\Ba\B)"),
         regex("any", "redact", "a.{2,6}c"), regex("class", "redact", R"([^a-c\s]{3,5}[ab])")},
        {regex("wide", "redact", "b[a-z ]{0,60}c"), literal("nested", "redact", {"cab", "ca"}),
         regex("cut", "block", "(?i)aBB?A(?:cc|bc){2}")},
        {regex("greek", "redact", R"(\p{Greek}{2,4})"), regex("letters", "flag", R"(\pL{4,8})"),
         literal("marks", "redact", {"a\xCC\x88", "o", "ǆ"})},
        {regex("named", "redact", "(?P<x>ab|ba){1,3}(?:c|$)"), rule("cards", "pii.card", "flag"),
         regex("lazy", "redact", R"(\d{2,5}?-\d)")},
        {literal("flags", "flag", {"ab", "abc"}), rule("mail", "pii.email", "flag")},
    };
}

constexpr std::array kLetters{"a", "b", "c", "ab", "A", "B"};

std::string random_of_letters(Rng& rng, std::uint64_t longest) {
    std::string out;
    for (std::uint64_t i = rng.next_below(longest) + 1; i > 0; --i) {
        out += kLetters[rng.next_below(kLetters.size())];
    }
    return out;
}

std::vector<RuleConfig> random_list(Rng& rng) {
    constexpr std::array kActions{"flag", "redact", "redact", "redact", "block"};
    std::vector<RuleConfig> rules;
    for (std::uint64_t i = 0, count = rng.next_below(4) + 1; i < count; ++i) {
        const std::string name = "r" + std::to_string(i);
        const std::string action = kActions[rng.next_below(kActions.size())];
        const std::string mode = rng.next_below(2) == 0 ? "fold" : "exact";
        if (rng.next_below(2) == 0) {
            std::vector<std::string> values;
            for (std::uint64_t v = rng.next_below(5) + 1; v > 0; --v) {
                values.push_back(random_of_letters(rng, 6));
            }
            rules.push_back(literal(name, action, std::move(values), mode));
            continue;
        }
        constexpr std::array kMiddles{"b{1,3}", "(?:ab|c)?", "[bc]", ".", R"(-?\b)", "(?:a|bb){2}"};
        const std::string pattern = random_of_letters(rng, 2) +
                                    kMiddles[rng.next_below(kMiddles.size())] +
                                    random_of_letters(rng, 2);
        rules.push_back(regex(name, action, pattern, mode));
    }
    return rules;
}

const std::vector<std::string>& fragments() {
    static const std::vector<std::string> all{
        // letters of the small rules, and what looks like them
        "a", "b", "c", "ab", "abba", "ABBA", "bcab", "AB", " ", " ", "\n", "-", ".", "x", "aａ",
        // words of the large ones
        "forbidden phrase", "forbidden ", "phrase", "FORBIDDEN", "for", "strasse", "Straße", "fine",
        "ﬁ", "ﬃ", "é", "e\xCC\x81", "ﬀ",
        // invisible, combining, special
        "\xE2\x80\x8B", "\xE2\x80\x8D", "\xC2\xAD", "\xF3\xA0\x81\xA1", "\xCC\x88", "\xCC\x81",
        "\xCD\xA0", "\xEF\xB8\x8F", "\xE1\x85\x9F", "\x01", "\xC2\xA0", "ａｂ", "ⓐ", "𝐚", "ᄀ",
        "ᅡ", "ｶﾞ", "Ⱥ", "ſ", "K", "İ", "ς", "αβγ", "ΑΒ", "日本", "😀", "ǆ", "Ǆ", "ﷺ",
        // broken UTF-8
        "\xC3", "\xE2\x82", "\xF0\x9F", "\xFF", "\x80", "\xED\xA0\x80", "\xC0\xAF",
        // numbers
        "4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "4111", "1111", "1",
        "378282246310005", "3782 822463 10005", "6011000990139424", "00", "0",
        "4242424242424242424", "4222222222222", "４１１１", "4111\u20101111\u22121111\u20141111",
        "\u2011", "\u2013",
        // addresses
        "bob@example.com", "bob", "@", "example.com", "a.b+c@x.co", "@x.", "com",
        // accounts
        "DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 32",
        "NO9386011117947", "DE89", "3704 0044", "gb82west12345698765432", "DE88 3704",
        // keys
        "sk-abcdefghijklmnopqrstuvwx", "sk-", "AKIAIOSFODNN7EXAMPLE", "AKIA", "-----BEGIN ",
        "-----BEGIN RSA"
        " PRIVATE KEY-----",
        "PRIVATE KEY-----", "ghp_", "RSA ",
        "qk_live_NobodyEverMadeThisKey0000000000000000000000_1UfMMm",
        "qk_live_NobodyEverMadeThisKey0000000000000000000000_1UfMMn", "qk_live_"};
    return all;
}

}  // namespace

ReviewSubject::ReviewSubject(std::vector<RuleConfig> list)
    : configs(std::move(list)), oracle(configs) {
    auto compiled = review::RuleSet::compile(configs);
    if (compiled) {
        rules = *std::move(compiled);
    } else {
        ADD_FAILURE() << compiled.error().message();
    }
}

std::vector<ReviewSubject> review_subjects(Rng& rng, int random) {
    std::vector<ReviewSubject> subjects;
    std::vector<std::vector<RuleConfig>> lists = fixed_lists();
    for (int i = 0; i < random; ++i) lists.push_back(random_list(rng));
    for (auto& list : lists) {
        // A replacement that a rule would match is refused; these characters are in none.
        for (std::size_t i = 0; i < list.size(); ++i) {
            if (list[i].action == "redact") list[i].replacement = "<" + std::to_string(i) + ">";
        }
        subjects.emplace_back(std::move(list));
    }
    return subjects;
}

std::string random_review_text(Rng& rng) {
    const auto& all = fragments();
    // Half of the texts are of the few letters that the small rules are made of.
    const bool is_narrow = rng.next_below(2) == 0;
    std::string text;
    for (std::uint64_t i = rng.next_below(24); i > 0; --i) {
        const bool is_letter = is_narrow && rng.next_below(8) != 0;
        text += all[rng.next_below(is_letter ? 13 : all.size())];
        if (!text.empty() && rng.next_below(40) == 0) text.pop_back();
    }
    return text;
}

ReviewOracle::Answer stream_review(const review::RuleSet& rules, std::string_view text,
                                   const std::vector<std::size_t>& cuts) {
    review::HoldBack stream(rules);
    ReviewOracle::Answer answer;
    std::size_t begin = 0;
    bool is_read = true;
    for (const std::size_t cut : cuts) {
        is_read = is_read && stream.push(text.substr(begin, cut - begin), answer.text);
        begin = cut;
    }
    is_read = is_read && stream.push(text.substr(begin), answer.text);
    if (!is_read || !stream.finish(answer.text)) answer.text = "not read";
    if (stream.blocked_by() != nullptr) answer.blocked_by = stream.blocked_by()->name;
    answer.tally = stream.tally();
    return answer;
}

std::vector<std::size_t> random_cuts(Rng& rng, std::size_t size) {
    std::vector<std::size_t> cuts;
    const std::uint64_t step = rng.next_below(3) == 0 ? 2 : rng.next_below(40) + 2;
    for (std::size_t at = 0; at < size;) {
        at += rng.next_below(step);
        if (at < size) cuts.push_back(at);
    }
    return cuts;
}

}  // namespace quire::test
