#include "services/review/rule_set.hpp"

#include "services/review/known_patterns.hpp"
#include "services/review/reviewed_text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quire::review {
namespace {

/// Keeps the table of the automaton below some hundred MB, whatever the alphabet.
constexpr std::size_t kLiteralStatesMax = 200'000;
constexpr std::size_t kLiteralBytesMax = 512;

constexpr std::array kByHand{
    std::pair<std::string_view, RuleSet::FindNext>("pii.card", find_next_card),
    std::pair<std::string_view, RuleSet::FindNext>("pii.iban", find_next_iban),
    std::pair<std::string_view, RuleSet::FindNext>("pii.email", find_next_email)};

Error wrong(std::string_view field, std::string_view what) {
    return {ErrorCode::kInvalidValue, fmt::format("{}: {}", field, what)};
}

bool takes_case(const std::string& kind) { return kind == "literal" || kind == "regex"; }

CaseMode mode_of(const RuleConfig& config) {
    return takes_case(config.kind) && config.case_mode != "exact" ? CaseMode::kFold
                                                                  : CaseMode::kExact;
}

Action action_of(std::string_view name) {
    if (name == "block") return Action::kBlock;
    return name == "redact" ? Action::kRedact : Action::kFlag;
}

Error foreign(std::string_view field, std::string_view where, const std::string& value) {
    return {ErrorCode::kUnsupportedParameter,
            fmt::format("{}: only {} has it, this is {}", field, where, value)};
}

/// Fields that must be there, and those that the kind or the action does not read.
Result<void> check_fields(const RuleConfig& config) {
    for (const auto& [field, value] :
         {std::pair<std::string_view, const std::string&>("name", config.name),
          {"kind", config.kind},
          {"action", config.action}}) {
        if (value.empty()) {
            return Error(ErrorCode::kMissingRequiredParameter,
                         fmt::format("{}: every rule has name, kind and action", field));
        }
    }
    if (config.kind != "literal" && !config.values.empty()) {
        return foreign("values", "kind literal", config.kind);
    }
    if (config.kind != "regex" && !config.pattern.empty()) {
        return foreign("pattern", "kind regex", config.kind);
    }
    if (!takes_case(config.kind) && config.case_mode != "fold") {
        return foreign("case", "kind literal or regex", config.kind);
    }
    if (config.action != "redact" && !config.replacement.empty()) {
        return foreign("replacement", "action redact", config.action);
    }
    return {};
}

}  // namespace

std::string_view name_of(Action action) {
    if (action == Action::kBlock) return "block";
    return action == Action::kRedact ? "redact" : "flag";
}

Result<std::shared_ptr<const RuleSet>> RuleSet::compile(const std::vector<RuleConfig>& rules) {
    auto made = std::make_shared<RuleSet>();
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const auto added = made->add(rules[i]);
        const std::string& name = rules[i].name;
        if (!added) return Error(added.error()).in(name.empty() ? fmt::format("[{}]", i) : name);
    }
    for (Scanners& scanners : made->scanners_) scanners.literals.build();
    made->join_patterns();
    for (const Rule& rule : made->rules_) {
        if (rule.action != Action::kRedact) continue;
        const ReviewedText reviewed = review_text(*made, rule.replacement);
        if (!reviewed.has_failed && reviewed.text == rule.replacement) continue;
        return wrong("replacement",
                     fmt::format("'{}' is matched by a rule of the same list itself; "
                                 "take a text that no rule matches",
                                 rule.replacement))
            .in(rule.name);
    }
    return std::shared_ptr<const RuleSet>(std::move(made));
}

Result<void> RuleSet::add(const RuleConfig& config) {
    const auto checked = check_fields(config);
    if (!checked) return checked;
    for (const Rule& other : rules_) {
        if (other.name == config.name) return wrong("name", "stands twice in this list");
    }
    const int rule = static_cast<int>(rules_.size());
    std::string replacement = config.replacement;
    if (replacement.empty()) replacement = fmt::format("[redacted:{}]", config.name);
    const Action action = action_of(config.action);
    rules_.push_back({config.name, config.kind, action, std::move(replacement)});
    can_change_text_ = can_change_text_ || action != Action::kFlag;
    return config.kind == "literal" ? add_literals(config, rule) : add_scanner(config, rule);
}

Result<void> RuleSet::add_literals(const RuleConfig& config, int rule) {
    if (config.values.empty()) {
        return Error(ErrorCode::kMissingRequiredParameter,
                     "values: a literal rule has at least one text");
    }
    const CaseMode mode = mode_of(config);
    LiteralAutomaton& literals = scanners_[static_cast<int>(mode)].literals;
    for (std::size_t i = 0; i < config.values.size(); ++i) {
        const std::string field = fmt::format("values[{}]", i);
        const std::string text = normalized(config.values[i], mode);
        if (text.empty()) return wrong(field, "has no visible character; it would match nothing");
        if (text.size() > kLiteralBytesMax) {
            return wrong(field, fmt::format("has {} bytes; at most {} are possible", text.size(),
                                            kLiteralBytesMax));
        }
        literals.add(text, rule);
        if (literals.states() > kLiteralStatesMax) {
            return wrong("values", fmt::format("the literals of a list may have {} bytes in all",
                                               kLiteralStatesMax));
        }
    }
    return {};
}

Result<void> RuleSet::add_scanner(const RuleConfig& config, int rule) {
    const CaseMode mode = mode_of(config);
    Scanners& scanners = scanners_[static_cast<int>(mode)];
    for (const auto& [kind, find_next] : kByHand) {
        if (config.kind != kind) continue;
        scanners.by_hand.push_back({find_next, rule});
        return {};
    }
    std::string pattern = config.pattern;
    PatternRule::Check check = nullptr;
    if (config.kind == "secret.api_key") {
        pattern = api_key_pattern();
        check = is_api_key;
    } else if (config.kind != "regex") {
        return wrong("kind",
                     fmt::format("'{}' is none of {}", config.kind, fmt::join(rule_kinds(), ", ")));
    } else if (pattern.empty()) {
        return Error(ErrorCode::kMissingRequiredParameter, "pattern: a regex rule has one");
    }
    auto compiled = PatternRule::compile(pattern, mode, rule, check);
    if (!compiled) return Error(compiled.error()).in("pattern");
    scanners.patterns.push_back(*std::move(compiled));
    return {};
}

void RuleSet::join_patterns() {
    for (const CaseMode mode : {CaseMode::kFold, CaseMode::kExact}) {
        Scanners& scanners = scanners_[static_cast<int>(mode)];
        std::string any;
        std::string live;
        unsigned min_width = PatternRule::kWidthMax;
        for (const auto& pattern : scanners.patterns) {
            min_width = std::min(min_width, pattern->min_width());
            any += fmt::format("{}(?:{})", any.empty() ? "" : "|", pattern->pattern());
            if (pattern->live_pattern().empty()) {
                scanners.width_max = std::max(scanners.width_max, pattern->width());
            } else {
                live += fmt::format("{}(?:{})", live.empty() ? "" : "|", pattern->live_pattern());
            }
        }
        if (scanners.patterns.empty()) continue;
        scanners.any_pattern = compile_regex(any, mode);
        scanners.any_live = compile_regex("(?:" + live + ")\\z", mode);
        if (!scanners.any_pattern->ok() || !scanners.any_live->ok()) {
            scanners.any_pattern.reset();  // too much for one: each is searched on its own
        } else if (scanners.width_max == 0) {
            scanners.beginnings.learn(*scanners.any_live, min_width);
        }
    }
}

}  // namespace quire::review
