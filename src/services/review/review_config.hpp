#pragma once

#include "runtime/config/option_table.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quire::review {

/// One rule as it is written down. What its kind and action do not use keeps its default.
struct RuleConfig {
    std::string name;
    std::string kind;
    std::string action;
    std::vector<std::string> values;  ///< literal
    std::string pattern;              ///< regex
    std::string case_mode = "fold";   ///< literal, regex: or exact
    std::string replacement;          ///< redact; "": [redacted:NAME]
};

struct PolicyConfig {
    std::vector<RuleConfig> input;
    std::vector<RuleConfig> output;
};

/// The settings under `review:`.
struct ReviewConfig {
    config::NamedTexts projects;  ///< project id to the name of its policy
    config::Named<PolicyConfig> policies;
};

/// Every kind that a rule can have.
std::span<const std::string_view> rule_kinds();

config::OptionTable<ReviewConfig> review_options();

}  // namespace quire::review
