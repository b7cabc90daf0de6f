#include "services/auth/api_key.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace quire::auth {
namespace {

/// Gives the bytes of a list.
class ListedRng final : public Rng {
public:
    explicit ListedRng(std::string bytes) : bytes_(std::move(bytes)) {}
    void fill(std::span<std::byte> out) override {
        std::copy_n(std::as_bytes(std::span(bytes_)).begin(), out.size(), out.begin());
    }

private:
    std::string bytes_;
};

std::string counting_bytes() {
    std::string bytes;
    for (char i = 0; i < 32; ++i) bytes += i;
    return bytes;
}

struct Vector {
    std::string random;
    std::string_view key;
    std::string_view hash;
};

/// Computed with an independent implementation (tests/support/api_keys.py and hashlib).
const std::vector<Vector>& vectors() {
    static const std::vector<Vector> all{
        {std::string(32, '\0'), "qk_live_0000000000000000000000000000000000000000000_0XpvbG",
         "3993b1abd873458d7778a07fa8afe97917da4aab13ee5801779c564b6793c639"},
        {std::string(32, '\xFF'), "qk_live_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1_3KwDx4",
         "6b070942fb165e09dd5ac756088c19b48b3ddba3cb610224bca56cb8ea490080"},
        {counting_bytes(), "qk_live_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf_0tNmh0",
         "4795494c2d6e2aa6142c4ff79b2d2a03388b739891afcb6ff90bda5bf1293ff8"},
    };
    return all;
}

TEST(ApiKey, IsMadeAsItsVectorsSay) {
    for (const Vector& vector : vectors()) {
        ListedRng rng(vector.random);

        EXPECT_EQ(make_api_key(rng), vector.key);
        EXPECT_TRUE(is_well_formed_key(vector.key)) << vector.key;
        EXPECT_EQ(hash_of_key(vector.key), vector.hash);
        EXPECT_EQ(last4_of_key(vector.key), vector.key.substr(vector.key.size() - 4));
    }
}

TEST(ApiKey, IsAlwaysWellFormedAndNew) {
    SeededRng rng(1);
    std::set<std::string> seen;
    for (int i = 0; i < 1'000; ++i) {
        const std::string key = make_api_key(rng);

        EXPECT_TRUE(is_well_formed_key(key)) << key;
        EXPECT_TRUE(seen.insert(key).second) << key;
    }
}

TEST(ApiKey, ChangingAnyCharacterBreaksIt) {
    const std::string key(vectors().back().key);
    for (std::size_t i = 0; i < key.size(); ++i) {
        std::string changed = key;
        changed[i] = changed[i] == 'x' ? 'y' : 'x';

        EXPECT_FALSE(is_well_formed_key(changed)) << changed;
    }
}

TEST(ApiKey, SwappingTwoNeighboursBreaksIt) {
    const std::string key(vectors().back().key);
    for (std::size_t i = 0; i + 1 < key.size(); ++i) {
        if (key[i] == key[i + 1]) continue;
        std::string changed = key;
        std::swap(changed[i], changed[i + 1]);

        EXPECT_FALSE(is_well_formed_key(changed)) << changed;
    }
}

TEST(ApiKey, RefusesOtherForms) {
    const std::string key(vectors().back().key);
    for (const std::string& bad : {
             std::string(),
             std::string("qk_live_"),
             key.substr(0, key.size() - 1),
             key + "0",
             " " + key.substr(1),
             "qk_test_" + key.substr(8),
             key.substr(0, 8) + std::string(43, '_') + key.substr(51),
             key.substr(0, 20) + '\0' + key.substr(21),
             std::string(58, 'x'),
             std::string("sk-proj-0000000000000000000000000000000000000000000_0XpvbG"),
         }) {
        EXPECT_FALSE(is_well_formed_key(bad)) << bad;
    }
}

}  // namespace
}  // namespace quire::auth
