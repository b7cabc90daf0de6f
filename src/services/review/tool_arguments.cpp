#include "services/review/tool_arguments.hpp"

#include "runtime/json.hpp"
#include "services/review/turns.hpp"
#include "services/review/utf8_decoder.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace quire::review {
namespace {

constexpr std::string_view kNumberBytes = "0123456789+-.eE";

constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";
constexpr std::size_t kUnitSize = 6;  ///< of \uXXXX

struct StringToken {
    std::size_t size = 1;  ///< its quotes included
    bool is_open = true;   ///< the text ends inside it
    std::string content;   ///< decoded
};

constexpr bool is_high_surrogate(char32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
constexpr bool is_low_surrogate(char32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

/// Of the `\uXXXX` that `text` begins with.
std::optional<char32_t> code_unit(std::string_view text) {
    if (text.size() < kUnitSize || !text.starts_with("\\u")) return std::nullopt;
    std::uint32_t unit = 0;
    const char* end = text.data() + kUnitSize;
    if (std::from_chars(text.data() + 2, end, unit, 16).ptr != end) return std::nullopt;
    return unit;
}

/// `text` begins with `\u`. Gives how many bytes were decoded.
std::size_t decode_unicode(std::string_view text, std::string& out) {
    const auto unit = code_unit(text);
    if (!unit) {
        const bool is_cut = text.find_first_not_of(kHexDigits, 2) == std::string_view::npos;
        if (is_cut) return text.size();
        out += 'u';
        return 2;
    }
    const auto low = is_high_surrogate(*unit) ? code_unit(text.substr(kUnitSize)) : std::nullopt;
    if (low && is_low_surrogate(*low)) {
        append_utf8(out, 0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00));
        return 2 * kUnitSize;
    }
    const bool is_lone = is_high_surrogate(*unit) || is_low_surrogate(*unit);
    append_utf8(out, is_lone ? kReplacement : *unit);
    return kUnitSize;
}

/// `text` begins with a backslash. Gives how many bytes were decoded.
std::size_t decode_escape(std::string_view text, std::string& out) {
    constexpr std::string_view kNames = "bfnrt";
    constexpr std::string_view kMeanings = "\b\f\n\r\t";
    if (text.size() < 2) return text.size();
    if (text[1] == 'u') return decode_unicode(text, out);
    const auto known = kNames.find(text[1]);
    out += known == std::string_view::npos ? text[1] : kMeanings[known];
    return 2;
}

/// The string that `text` begins with. Broken ones are decoded as far as that is possible, since
/// whoever reads them may do so too: an unknown escape stands for its character, half a surrogate
/// pair for U+FFFD, an escape that the text ends in for nothing.
StringToken read_string(std::string_view text) {
    StringToken token;
    while (token.size < text.size()) {
        const auto stop = std::min(text.find_first_of("\"\\", token.size), text.size());
        token.content += text.substr(token.size, stop - token.size);
        token.size = stop;
        if (stop == text.size()) break;
        if (text[stop] == '"') {
            token.is_open = false;
            ++token.size;
            break;
        }
        token.size += decode_escape(text.substr(stop), token.content);
    }
    return token;
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
            const StringToken string = read_string(text_);
            size = string.size;
            cost = kTextCost;
            take_string(string);
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
    /// What no rule changes stays byte for byte.
    void take_string(const StringToken& string) {
        const ReviewedText inner = review(string.content);
        if (inner.blocked_by == nullptr && inner.text == string.content) {
            reviewed_.text += text_.substr(0, string.size);
            return;
        }
        runtime::append_json_string(reviewed_.text, inner.text);
        if (inner.blocked_by != nullptr || string.is_open) reviewed_.text.pop_back();
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
    return tokens.has_failed || runtime::parse_json(text);
}

/// Of both looks at what is no JSON; `plain` is the second, at what the first let through. So its
/// block stands before that of the tokens.
ReviewedText join(const RuleSet& rules, ReviewedText tokens, ReviewedText plain) {
    if (plain.blocked_by == nullptr) {
        plain.blocked_by = tokens.blocked_by;
    } else if (tokens.blocked_by != nullptr) {
        --tokens.tally[tokens.blocked_by - rules.rules().data()];
    }
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
    ReviewedText plain = review_text(rules, tokens.text);
    return join(rules, std::move(tokens), std::move(plain));
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
    co_return join(rules, std::move(tokens), std::move(plain));
}

}  // namespace quire::review
