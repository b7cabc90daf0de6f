#include "services/review/decisions.hpp"

#include "runtime/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace quire::review {

void count_decision(std::string_view stage, const Rule& rule, std::int64_t count) {
    static auto& family = runtime::counter_family(
        "quire_review_decisions_total", "What rules did: flag, redact or block, by kind of rule.");
    family
        .Add({{"stage", std::string(stage)},
              {"kind", rule.kind},
              {"action", std::string(name_of(rule.action))}})
        .Increment(static_cast<double>(count));
}

void append_decisions(const RuleSet& rules, const Tally& tally, const std::string& stage,
                      Decisions& decisions) {
    constexpr std::int64_t kCountMax = std::numeric_limits<std::int32_t>::max();
    for (std::size_t i = 0; i < tally.size(); ++i) {
        if (tally[i] == 0) continue;
        const Rule& rule = rules.rules()[i];
        count_decision(stage, rule, tally[i]);
        v1::Decision& decision = *decisions.Add();
        decision.set_stage(stage);
        decision.set_rule(rule.name);
        decision.set_kind(rule.kind);
        decision.set_action(std::string(name_of(rule.action)));
        decision.set_count(static_cast<std::int32_t>(std::min(tally[i], kCountMax)));
    }
}

Error unreviewable(std::string_view why) {
    return {ErrorCode::kReviewUnavailable,
            fmt::format("the text could not be reviewed, and nothing passes unreviewed: {}", why)};
}

}  // namespace quire::review
