#pragma once

#include "services/review/review_config.hpp"

#include <re2/re2.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quire::test {

/// What review must make of a text, by the plainest code that can be written: the whole text, one
/// rule after the other, one position after the other. Slow, and shares no code with the streaming
/// scanners.
class ReviewOracle {
public:
    struct Answer {
        std::string text;
        std::string blocked_by;  ///< "" when nothing did
        std::vector<std::int64_t> tally;

        bool operator==(const Answer&) const = default;
    };

    explicit ReviewOracle(std::vector<review::RuleConfig> rules);

    Answer review(std::string_view text) const;

private:
    struct Compiled {
        review::RuleConfig config;
        std::vector<std::string> literals;
        std::shared_ptr<re2::RE2> regex;
        bool folds = false;
    };
    std::vector<Compiled> rules_;
};

}  // namespace quire::test
