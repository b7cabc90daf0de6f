#pragma once

#include "runtime/async.hpp"
#include "services/review/reviewed_text.hpp"

#include <string>
#include <string_view>

namespace quire::review {

/// So many bytes are scanned at most before the loop's other work has its turn.
inline constexpr std::size_t kTurnBytes = 64 * 1024;
/// As long as so many bytes takes a text of its own, however short.
inline constexpr std::size_t kTextCost = 64;

/// Lets the loop's other work go on, when `bytes` were a turn's worth.
awaitable<void> give_way(std::size_t bytes);

/// HoldBack::push in turns. `text` and `out` outlive the call.
awaitable<bool> push_in_turns(HoldBack& stream, std::string_view text, std::string& out);

/// review_text in turns. `rules` and `text` outlive the call.
awaitable<ReviewedText> review_in_turns(const RuleSet& rules, std::string_view text);

}  // namespace quire::review
