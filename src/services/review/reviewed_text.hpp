#pragma once

#include "services/review/hold_back.hpp"

#include <string>
#include <string_view>

namespace quire::review {

/// What a whole text becomes.
struct ReviewedText {
    std::string text;  ///< redacted; with a block, what stands before it
    const Rule* blocked_by = nullptr;
    Tally tally;
    bool has_failed = false;  ///< the text could not be read: nothing of it may pass
};

ReviewedText review_text(const RuleSet& rules, std::string_view text);

/// The types of tool calls that the protocol knows; they say nothing, and are not reviewed.
inline bool is_known_call_type(std::string_view type) {
    return type == "function" || type == "custom";
}

/// Adds `more` to `tally`, which may be empty.
void add_tally(Tally& tally, const Tally& more);

}  // namespace quire::review
