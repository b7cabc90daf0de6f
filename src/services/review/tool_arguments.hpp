#pragma once

#include "runtime/async.hpp"
#include "services/review/reviewed_text.hpp"

#include <string_view>

namespace quire::review {

/// Reviews JSON by what it means: each string (keys too) and each number is a text of its own,
/// escapes decoded. What is redacted is encoded again, so valid JSON stays valid; all other bytes
/// stay as they are. What is no valid JSON is reviewed as text as well, its strings decoded as far
/// as they can be. With a block, `text` is what stands before it, and no longer valid.
ReviewedText review_json(const RuleSet& rules, std::string_view text);

/// The same in turns: its tokens may be millions. `rules` and `text` outlive the call.
awaitable<ReviewedText> review_json_in_turns(const RuleSet& rules, std::string_view text);

}  // namespace quire::review
