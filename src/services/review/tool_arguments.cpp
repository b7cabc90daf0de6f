#include "services/review/tool_arguments.hpp"

#include "runtime/json.hpp"
#include "services/review/turns.hpp"

#include <algorithm>

namespace quire::review {
namespace {

constexpr std::string_view kNumberBytes = "0123456789+-.eE";

/// The size of the string that `text` begins with, both quotes included; without the last one when
/// the text ends inside it.
std::size_t string_size(std::string_view text) {
    for (std::size_t at = 1; at < text.size(); ++at) {
        if (text[at] == '\\') {
            ++at;
        } else if (text[at] == '"') {
            return at + 1;
        }
    }
    return text.size();
}

/// Walks over the tokens and rewrites those that are redacted.
class JsonReview {
public:
    JsonReview(const RuleSet& rules, std::string_view text) : rules_(rules), text_(text) {
        reviewed_.tally.assign(rules.rules().size(), 0);
    }

    bool is_over() const {
        return text_.empty() || reviewed_.blocked_by != nullptr || reviewed_.has_failed;
    }
    /// Gives what the token cost, in bytes that are scanned as fast.
    std::size_t review_token() {
        std::size_t size = 1;
        std::size_t cost = 0;
        if (text_.front() == '"') {
            size = string_size(text_);
            cost = kTextCost;
            take_string(text_.substr(0, size));
        } else if (kNumberBytes.find(text_.front()) != std::string_view::npos) {
            size = std::min(text_.find_first_not_of(kNumberBytes), text_.size());
            cost = kTextCost;
            take_number(text_.substr(0, size));
        } else {
            reviewed_.text += text_.front();
        }
        text_.remove_prefix(size);
        return size + cost;
    }
    ReviewedText take() { return std::move(reviewed_); }

private:
    void take_string(std::string_view token) {
        std::string quoted(token);
        const bool is_open =
            token.size() < 2 || string_size(token) != token.size() || token.back() != '"';
        if (is_open) quoted += '"';
        const auto decoded = runtime::parse_json(quoted);
        if (!decoded || !decoded->is_string()) {
            reviewed_.text += token;  // no JSON: reviewed as text afterwards
            return;
        }
        const json::string& value = decoded->get_string();
        const std::string_view content(value.data(), value.size());
        const ReviewedText inner = review(content);
        if (inner.blocked_by == nullptr && inner.text == content) {
            reviewed_.text += token;
            return;
        }
        runtime::append_json_string(reviewed_.text, inner.text);
        if (inner.blocked_by != nullptr || is_open) reviewed_.text.pop_back();
    }

    /// A redacted number becomes a string.
    void take_number(std::string_view token) {
        const ReviewedText inner = review(token);
        if (inner.blocked_by != nullptr || inner.text == token) {
            reviewed_.text += inner.text;
        } else {
            runtime::append_json_string(reviewed_.text, inner.text);
        }
    }

    ReviewedText review(std::string_view text) {
        ReviewedText inner = review_text(rules_, text);
        add_tally(reviewed_.tally, inner.tally);
        reviewed_.blocked_by = inner.blocked_by;
        reviewed_.has_failed = inner.has_failed;
        return inner;
    }

    const RuleSet& rules_;
    std::string_view text_;  ///< what is left
    ReviewedText reviewed_;
};

/// Whether the tokens are all that there is to look at.
bool is_enough(const ReviewedText& tokens, std::string_view text) {
    return tokens.has_failed || tokens.blocked_by != nullptr || runtime::parse_json(text);
}

/// Of both looks at what is no JSON; `plain` is the second.
ReviewedText join(const RuleSet& rules, const ReviewedText& tokens, ReviewedText plain) {
    for (std::size_t i = 0; i < plain.tally.size(); ++i) {
        // A flag changes nothing, so that the second look finds it again.
        const bool is_flag = rules.rules()[i].action == Action::kFlag;
        plain.tally[i] =
            is_flag ? std::max(plain.tally[i], tokens.tally[i]) : plain.tally[i] + tokens.tally[i];
    }
    return plain;
}

}  // namespace

ReviewedText review_json(const RuleSet& rules, std::string_view text) {
    JsonReview review(rules, text);
    while (!review.is_over()) review.review_token();
    ReviewedText tokens = review.take();
    if (is_enough(tokens, text)) return tokens;
    return join(rules, tokens, review_text(rules, tokens.text));
}

awaitable<ReviewedText> review_json_in_turns(const RuleSet& rules, std::string_view text) {
    JsonReview review(rules, text);
    std::size_t done = 0;
    while (!review.is_over()) {
        done += review.review_token();
        if (done < kTurnBytes) continue;
        co_await give_way(done);
        done = 0;
    }
    ReviewedText tokens = review.take();
    if (is_enough(tokens, text)) co_return tokens;
    ReviewedText plain = co_await review_in_turns(rules, tokens.text);
    co_return join(rules, tokens, std::move(plain));
}

}  // namespace quire::review
