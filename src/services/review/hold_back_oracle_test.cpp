#include "runtime/config/node.hpp"
#include "services/review/hold_back.hpp"
#include "services/review/reviewed_text.hpp"
#include "tests/support/review_cases.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace quire::review {
namespace {

using test::ReviewOracle;
using test::ReviewSubject;
using test::stream_review;

constexpr int kRandomLists = 30;

/// QUIRE_REVIEW_SEED=N runs the one case of that seed.
std::uint64_t environment_number(const std::string& name, std::uint64_t otherwise) {
    const config::Environment environment = config::process_environment();
    const auto found = environment.find(name);
    return found == environment.end() ? otherwise : std::stoull(found->second);
}

std::uint64_t random_cases() {
    return environment_number("QUIRE_SOAK", 0) == 1 ? 1'000'000 : 20'000;
}

const std::vector<ReviewSubject>& subjects() {
    static const std::vector<ReviewSubject> all = [] {
        SeededRng rng(1);
        return test::review_subjects(rng, kRandomLists);
    }();
    return all;
}

std::string shown(const ReviewOracle::Answer& answer) {
    return fmt::format("{:?} blocked by '{}' ({})", answer.text, answer.blocked_by,
                       fmt::join(answer.tally, " "));
}

/// Texts in which each rule of the fixed lists matches, nearly matches, and overlaps with others.
const std::vector<std::string>& corpus() {
    static const std::vector<std::string> texts{
        "",
        "a",
        "nothing of note, in plain prose.",
        "a Forbidden\xE2\x80\x8B Phrase, at last",
        "forbidden phras and forbidden phrase",
        "cafe\xCC\x81 and caf\xC3\xA9",
        "o\xE1\xB7\x8E\xCC\xA4\xCC\x88 ﬁne",
        "pay 4111 1111 1111 1111 or 4111-1111-1111-1112",
        "4111\u20111111\u20131111 1111 4111\u22121111\u2016",
        "14111111111111111 4111111111111111 1",
        "mail bob@example.com, or a.b+c@mail.x.co.uk!",
        "DE89 3704 0044 0532 0130 00 and GB82WEST12345698765432x",
        "key sk-abcdefghijklmnopqrstuvwx AKIAIOSFODNN7EXAMPLE.",
        "qk_live_NobodyEverMadeThisKey0000000000000000000000_1UfMMm",
        "-----BEGIN RSA"
        " PRIVATE KEY-----\nMII",
        "ababcab abba ABBA bb\nbbb\ncc",
        "a\xC3\xE2\x82 b\xF0\x9F\x98\x80\xFF c",
        "αβγδε ǆ Ǆ İ ſ K",
        "b abc abc abc abc c ca cab",
        "4111\xE2\x80\x8B 1111 1111 11\xC2\xAD"
        "11",
    };
    return texts;
}

void expect_the_oracles(const ReviewSubject& subject, const std::string& text,
                        const std::vector<std::size_t>& cuts) {
    const ReviewOracle::Answer wanted = subject.oracle.review(text);
    const ReviewOracle::Answer answer = stream_review(*subject.rules, text, cuts);
    ASSERT_EQ(shown(answer), shown(wanted))
        << fmt::format("{:?} cut at {}", text, fmt::join(cuts, " "));
}

TEST(HoldBackOracle, AgreesOnTheCorpusWhole) {
    for (const ReviewSubject& subject : subjects()) {
        for (const std::string& text : corpus()) {
            ASSERT_NO_FATAL_FAILURE(expect_the_oracles(subject, text, {}));
        }
    }
}

TEST(HoldBackOracle, AgreesOnTheCorpusByteByByte) {
    for (const ReviewSubject& subject : subjects()) {
        for (const std::string& text : corpus()) {
            std::vector<std::size_t> cuts;
            for (std::size_t at = 1; at < text.size(); ++at) cuts.push_back(at);
            ASSERT_NO_FATAL_FAILURE(expect_the_oracles(subject, text, cuts));
        }
    }
}

TEST(HoldBackOracle, AgreesOnTheCorpusAtEverySplitInTwo) {
    for (const ReviewSubject& subject : subjects()) {
        for (const std::string& text : corpus()) {
            for (std::size_t at = 1; at < text.size(); ++at) {
                ASSERT_NO_FATAL_FAILURE(expect_the_oracles(subject, text, {at}));
            }
        }
    }
}

TEST(HoldBackOracle, AgreesOnShortTextsAtEverySplitInThree) {
    constexpr std::size_t kShortMax = 32;
    for (const ReviewSubject& subject : subjects()) {
        for (const std::string& text : corpus()) {
            if (text.size() > kShortMax) continue;
            for (std::size_t one = 1; one < text.size(); ++one) {
                for (std::size_t two = one; two < text.size(); ++two) {
                    ASSERT_NO_FATAL_FAILURE(expect_the_oracles(subject, text, {one, two}));
                }
            }
        }
    }
}

struct RandomCase {
    explicit RandomCase(std::uint64_t seed) : rng(seed) {
        subject = &subjects()[rng.next_below(subjects().size())];
        text = test::random_review_text(rng);
        cuts = test::random_cuts(rng, text.size());
    }

    SeededRng rng;
    const ReviewSubject* subject;
    std::string text;
    std::vector<std::size_t> cuts;
};

TEST(HoldBackOracle, AgreesOnRandomTextsRulesAndSplits) {
    const std::uint64_t only = environment_number("QUIRE_REVIEW_SEED", 0);
    const std::uint64_t first = only != 0 ? only : 1;
    const std::uint64_t last = only != 0 ? only : random_cases();
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        const RandomCase random(seed);

        ASSERT_NO_FATAL_FAILURE(expect_the_oracles(*random.subject, random.text, random.cuts))
            << "QUIRE_REVIEW_SEED=" << seed
            << " unit_tests --gtest_filter=HoldBackOracle.AgreesOnRandomTextsRulesAndSplits";
    }
}

/// What others do: a piece goes out once it was checked together with a fixed window of what went
/// out before it.
std::string roll_a_window(const RuleSet& rules, std::string_view text, std::size_t piece,
                          std::size_t window) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += piece) {
        const std::size_t context = std::min(window, at);
        const std::string_view seen = text.substr(at - context, context + piece);
        const ReviewedText reviewed = review_text(rules, seen);
        const std::string_view before = text.substr(at - context, context);
        if (reviewed.blocked_by != nullptr) break;
        out += reviewed.text.starts_with(before) ? std::string_view(reviewed.text).substr(context)
                                                 : text.substr(at, piece);
    }
    return out;
}

TEST(HoldBackOracle, CatchesARollingWindow) {
    constexpr std::uint64_t kCases = 2'000;
    constexpr std::size_t kPiece = 16;
    constexpr std::size_t kWindow = 8;
    std::uint64_t leaks = 0;
    for (std::uint64_t seed = 1; seed <= kCases; ++seed) {
        const RandomCase random(seed);
        const std::string rolled =
            roll_a_window(*random.subject->rules, random.text, kPiece, kWindow);
        if (rolled != random.subject->oracle.review(random.text).text) ++leaks;
    }

    EXPECT_GT(leaks, kCases / 20);
}

}  // namespace
}  // namespace quire::review
