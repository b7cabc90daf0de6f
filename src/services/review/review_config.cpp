#include "services/review/review_config.hpp"

#include <array>

namespace quire::review {
namespace {

constexpr std::array<std::string_view, 6> kKinds{"literal",   "regex",    "pii.card",
                                                 "pii.email", "pii.iban", "secret.api_key"};

config::OptionTable<RuleConfig> rule_options() {
    using R = RuleConfig;
    config::OptionTable<R> t;
    t.text("name", &R::name, "What decisions and errors call the rule; once per list.");
    t.choice("kind", &R::kind, {kKinds.begin(), kKinds.end()}, "What is looked for.");
    t.choice("action", &R::action, {"flag", "redact", "block"},
             "flag: record only; redact: replace; block: end the answer, refuse the request.");
    t.texts("values", &R::values, "kind literal: the texts to find.");
    t.text("pattern", &R::pattern,
           "kind regex: RE2 syntax; matches at least one character and at most 512 bytes.");
    t.choice("case", &R::case_mode, {"fold", "exact"},
             "kinds literal and regex: whether upper and lower case are the same.");
    t.text("replacement", &R::replacement,
           "action redact: what stands instead; empty: `[redacted:NAME]`.");
    return t;
}

}  // namespace

std::span<const std::string_view> rule_kinds() { return kKinds; }

config::OptionTable<ReviewConfig> review_options() {
    config::OptionTable<PolicyConfig> policy;
    policy.list("input", &PolicyConfig::input, rule_options(), "Rules for what clients send.");
    policy.list("output", &PolicyConfig::output, rule_options(), "Rules for what models answer.");
    config::OptionTable<ReviewConfig> t;
    t.text_map("projects", &ReviewConfig::projects,
               "Project id to policy, for projects that do not use `default`.");
    t.others("POLICY", &ReviewConfig::policies, policy,
             "A policy by its name; `default` is that of every project without another one.");
    return t;
}

}  // namespace quire::review
