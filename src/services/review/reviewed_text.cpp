#include "services/review/reviewed_text.hpp"

#include <algorithm>

namespace quire::review {

ReviewedText review_text(const RuleSet& rules, std::string_view text) {
    ReviewedText reviewed;
    HoldBack stream(rules);
    reviewed.has_failed = !stream.push(text, reviewed.text) || !stream.finish(reviewed.text);
    reviewed.blocked_by = stream.blocked_by();
    reviewed.tally = stream.tally();
    return reviewed;
}

void add_tally(Tally& tally, const Tally& more) {
    tally.resize(std::max(tally.size(), more.size()), 0);
    for (std::size_t i = 0; i < more.size(); ++i) tally[i] += more[i];
}

}  // namespace quire::review
