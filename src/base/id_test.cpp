#include "base/id.hpp"

#include <gtest/gtest.h>

#include <set>

namespace quire {
namespace {

constexpr std::string_view kSample = "01ARYZ6S41TSV4RRFFQ69G5FAV";

TEST(Ulid, HasItsMillisecondsInFront) {
    SeededRng rng(1);

    // The example of the specification's own reference implementation.
    const std::string ulid = make_ulid(Timestamp{1'469'918'176'385'999}, rng);

    EXPECT_EQ(ulid.substr(0, 10), "01ARYZ6S41");
    EXPECT_TRUE(is_ulid(ulid));
}

TEST(Ulid, SortsByTime) {
    SeededRng rng(1);

    std::string before = make_ulid(Timestamp{1'000}, rng);
    for (std::int64_t millis = 2; millis < 100'000; millis += 997) {
        std::string after = make_ulid(Timestamp{millis * 1'000}, rng);

        EXPECT_LT(before, after);
        before = std::move(after);
    }
}

TEST(Ulid, DiffersWithinOneMillisecond) {
    SeededRng rng(1);

    std::set<std::string> seen;
    for (int i = 0; i < 1'000; ++i) seen.insert(make_ulid(Timestamp{5'000}, rng));

    EXPECT_EQ(seen.size(), 1'000u);
}

TEST(Ulid, HoldsTheLargestTime) {
    SeededRng rng(1);

    const std::string ulid = make_ulid(Timestamp{((1LL << 48) - 1) * 1'000}, rng);

    EXPECT_EQ(ulid.substr(0, 10), "7ZZZZZZZZZ");
}

TEST(IsUlid, RefusesWhatIsNone) {
    EXPECT_TRUE(is_ulid(kSample));
    for (const std::string_view bad : {
             "",
             "01ARYZ6S41TSV4RRFFQ69G5FA",    // one short
             "01ARYZ6S41TSV4RRFFQ69G5FAVV",  // one long
             "81ARYZ6S41TSV4RRFFQ69G5FAV",   // over 48 bits of time
             "01arYZ6S41TSV4RRFFQ69G5FAV",   // lower case
             "01ARYZ6S41TSV4RRFFQ69G5FAU",   // U is not in the alphabet
             "01ARYZ6S41TSV4RRFFQ69G5FA ",
         }) {
        EXPECT_FALSE(is_ulid(bad)) << bad;
    }
}

TEST(MakeId, GivesItsUlidBack) {
    SeededRng rng(1);

    const std::string id = make_id("req", Timestamp{1'469'918'176'385'000}, rng);

    EXPECT_TRUE(id.starts_with("req_01ARYZ6S41")) << id;
    EXPECT_EQ(ulid_of(id, "req"), std::string_view(id).substr(4));
}

TEST(UlidOf, RefusesOtherPrefixesAndForms) {
    const std::string id = "req_" + std::string(kSample);

    EXPECT_EQ(ulid_of(id, "req"), kSample);
    EXPECT_EQ(ulid_of(id, "re"), std::nullopt);
    EXPECT_EQ(ulid_of(id, "key"), std::nullopt);
    EXPECT_EQ(ulid_of("req-" + std::string(kSample), "req"), std::nullopt);
    EXPECT_EQ(ulid_of(id + "0", "req"), std::nullopt);
    EXPECT_EQ(ulid_of("req_", "req"), std::nullopt);
    EXPECT_EQ(ulid_of("", "req"), std::nullopt);
}

TEST(NextUlid, IsAlwaysGreaterWhateverTheClockDoes) {
    SeededRng rng(7);
    std::string last;
    for (int i = 0; i < 1000; ++i) {
        const Timestamp time{1'790'000'000'000'000 + (i % 3 - 1) * 5'000};
        const std::string next = next_ulid(last, time, rng);
        ASSERT_TRUE(is_ulid(next)) << next;
        ASSERT_GT(next, last);
        last = next;
    }
}

TEST(NextUlid, CarriesOver) {
    SeededRng rng(7);
    EXPECT_EQ(next_ulid("01ARZ3NDEKTSV4RRFFQ69G5FZZ", Timestamp{0}, rng),
              "01ARZ3NDEKTSV4RRFFQ69G5G00");
}

}  // namespace
}  // namespace quire
