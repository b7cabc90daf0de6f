#pragma once

#include "base/rng.hpp"
#include "services/review/hold_back.hpp"
#include "tests/support/review_oracle.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quire::test {

/// A list of rules, compiled both ways.
struct ReviewSubject {
    explicit ReviewSubject(std::vector<review::RuleConfig> configs);

    std::vector<review::RuleConfig> configs;
    std::shared_ptr<const review::RuleSet> rules;
    ReviewOracle oracle;
};

/// Lists in which rules of every kind and action overlap, and `random` ones made of few letters.
std::vector<ReviewSubject> review_subjects(Rng& rng, int random);

/// A text in which matches, what nearly is one, and what a normaliser stumbles over are frequent.
std::string random_review_text(Rng& rng);

/// What the stream makes of the text when it comes in pieces that end at `cuts` (ascending).
ReviewOracle::Answer stream_review(const review::RuleSet& rules, std::string_view text,
                                   const std::vector<std::size_t>& cuts);

/// Ascending places to cut a text of `size` bytes.
std::vector<std::size_t> random_cuts(Rng& rng, std::size_t size);

}  // namespace quire::test
