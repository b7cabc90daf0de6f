#include "services/review/decisions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace quire::review {

void append_decisions(const RuleSet& rules, const Tally& tally, const std::string& stage,
                      Decisions& decisions) {
    constexpr std::int64_t kCountMax = std::numeric_limits<std::int32_t>::max();
    for (std::size_t i = 0; i < tally.size(); ++i) {
        if (tally[i] == 0) continue;
        const Rule& rule = rules.rules()[i];
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
