#pragma once

#include "base/result.hpp"
#include "services/review/beginnings.hpp"
#include "services/review/hand_scanners.hpp"
#include "services/review/literal_automaton.hpp"
#include "services/review/normalizer.hpp"
#include "services/review/pattern_rule.hpp"
#include "services/review/review_config.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quire::review {

enum class Action { kFlag, kRedact, kBlock };

std::string_view name_of(Action action);

/// What stays of a rule once it is compiled into its scanners.
struct Rule {
    std::string name;
    std::string kind;
    Action action = Action::kFlag;
    std::string replacement;
};

/// The rules of one direction of a policy, compiled. Immutable; safe from several threads.
class RuleSet {
public:
    using FindNext = bool (*)(const MatchCopy&, bool, std::uint64_t&, PatternMatch&);
    struct HandRule {
        FindNext find_next;
        int rule;
    };
    /// Everything that reads one of the two copies.
    struct Scanners {
        LiteralAutomaton literals;
        std::vector<std::shared_ptr<const PatternRule>> patterns;
        std::vector<HandRule> by_hand;
        /// Whether any pattern matches, and where any may still be growing: one search for all of
        /// them as long as the answer is no.
        std::unique_ptr<re2::RE2> any_pattern;
        std::unique_ptr<re2::RE2> any_live;
        Beginnings beginnings;
        unsigned width_max = 0;  ///< of patterns whose live beginnings are not known

        bool is_empty() const { return literals.is_empty() && patterns.empty() && by_hand.empty(); }
    };

    /// kInvalidValue, kMissingRequiredParameter, kUnsupportedParameter, naming rule and field.
    static Result<std::shared_ptr<const RuleSet>> compile(const std::vector<RuleConfig>& rules);

    const std::vector<Rule>& rules() const { return rules_; }
    const Scanners& scanners(CaseMode mode) const { return scanners_[static_cast<int>(mode)]; }
    bool is_empty() const { return rules_.empty(); }
    /// Whether any rule changes the text or ends it: else nothing need be held back.
    bool can_change_text() const { return can_change_text_; }

private:
    Result<void> add(const RuleConfig& config);
    Result<void> add_literals(const RuleConfig& config, int rule);
    Result<void> add_scanner(const RuleConfig& config, int rule);
    void join_patterns();

    std::vector<Rule> rules_;
    std::array<Scanners, 2> scanners_;
    bool can_change_text_ = false;
};

}  // namespace quire::review
