#include "services/review/turns.hpp"

#include <boost/asio/post.hpp>

namespace quire::review {

awaitable<void> give_way(std::size_t bytes) {
    if (bytes < kTurnBytes) co_return;
    co_await asio::post(asio::use_awaitable);
}

awaitable<bool> push_in_turns(HoldBack& stream, std::string_view text, std::string& out) {
    bool is_read = true;
    while (is_read && !text.empty()) {
        const std::string_view turn = text.substr(0, kTurnBytes);
        is_read = stream.push(turn, out);
        text.remove_prefix(turn.size());
        co_await give_way(turn.size());
    }
    co_return is_read;
}

awaitable<ReviewedText> review_in_turns(const RuleSet& rules, std::string_view text) {
    ReviewedText reviewed;
    HoldBack stream(rules);
    const bool is_pushed = co_await push_in_turns(stream, text, reviewed.text);
    reviewed.has_failed = !is_pushed || !stream.finish(reviewed.text);
    reviewed.blocked_by = stream.blocked_by();
    reviewed.tally = stream.tally();
    co_return reviewed;
}

}  // namespace quire::review
