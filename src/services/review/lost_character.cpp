#include "services/review/lost_character.hpp"

#include "services/review/pattern_rule.hpp"
#include "services/review/utf8_decoder.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>

namespace quire::review {
namespace {

using re2::RE2;

constexpr std::size_t kHexDigits = 2;  ///< of \xHH

/// The first of a pattern, as it is written.
struct Item {
    std::size_t size = 1;
    char32_t character = 0;  ///< which it stands for; 0: none beyond ASCII
};

Item escape_at(std::string_view text) {
    if (!text.starts_with("\\x")) return {2, 0};
    const bool is_braced = text.substr(2).starts_with('{');
    const std::size_t begin = is_braced ? 3 : 2;
    const std::size_t end = std::min(is_braced ? text.find('}') : begin + kHexDigits, text.size());
    std::uint32_t character = 0;
    std::from_chars(text.data() + begin, text.data() + end, character, 16);
    const bool is_surrogate = character >= 0xD800 && character < 0xE000;
    const bool counts = character >= 0x80 && !is_surrogate;
    return {is_braced ? end + 1 : end, counts ? character : 0};
}

std::size_t class_size(std::string_view text) {
    std::size_t at = text.starts_with("[^") ? 2 : 1;
    const std::size_t first = at;
    while (at < text.size() && (text[at] != ']' || at == first)) {
        const auto close =
            text.substr(at).starts_with("[:") ? text.find(":]", at) : std::string_view::npos;
        if (close != std::string_view::npos) {
            at = close + 2;
        } else {
            at += text[at] == '\\' ? 2 : 1;
        }
    }
    return at + 1;
}

/// Goes over the characters beyond ASCII that stand outside of classes.
class Literals {
public:
    explicit Literals(std::string_view pattern) : left_(pattern) {}

    /// 0 at the end.
    char32_t next() {
        while (!left_.empty()) {
            const Item item = first();
            left_.remove_prefix(std::min(item.size, left_.size()));
            if (item.character != 0) return item.character;
        }
        return 0;
    }

private:
    Item first() {
        if (left_.starts_with(is_quoted_ ? "\\E" : "\\Q")) {
            is_quoted_ = !is_quoted_;
            return {2, 0};
        }
        if (!is_quoted_ && left_.front() == '\\') return escape_at(left_);
        if (!is_quoted_ && left_.front() == '[') return {class_size(left_), 0};
        if (!is_quoted_ && left_.starts_with("(?P<")) return {left_.find('>'), 0};
        const auto step = decoder_.take(static_cast<unsigned char>(left_.front()));
        const bool is_complete = step == Utf8Decoder::Step::kCharacter;
        return {1, is_complete && decoder_.character() >= 0x80 ? decoder_.character() : 0};
    }

    std::string_view left_;
    bool is_quoted_ = false;
    Utf8Decoder decoder_;
};

}  // namespace

std::optional<LostCharacter> lost_character_of(std::string_view pattern, CaseMode mode) {
    Literals literals(pattern);
    while (const char32_t character = literals.next()) {
        LostCharacter lost{character, "", ""};
        append_utf8(lost.text, character);
        lost.form = normalized(lost.text, mode);
        if (lost.form == lost.text) continue;
        // RE2 folds some characters as the copy does, such as the Kelvin sign.
        if (RE2::FullMatch(lost.form, *compile_regex(RE2::QuoteMeta(lost.text), mode))) continue;
        return lost;
    }
    return std::nullopt;
}

}  // namespace quire::review
