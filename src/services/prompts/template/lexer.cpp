#include "services/prompts/template/lexer.hpp"

#include "runtime/json.hpp"
#include "services/prompts/template/characters.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>

namespace quire::prompts {
namespace {

using std::string_view;
constexpr auto kNowhere = string_view::npos;

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

bool begins_name(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

bool continues_name(char byte) { return begins_name(byte) || is_digit(byte); }

/// Every line ends with \n, and the last \n of a source is not part of it, as jinja2 has it.
std::string with_plain_newlines(string_view source) {
    std::string out;
    out.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
        if (source[i] != '\r') {
            out += source[i];
            continue;
        }
        out += '\n';
        if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
    if (out.ends_with('\n')) out.pop_back();
    return out;
}

class Lexer {
public:
    explicit Lexer(string_view source) : source_(with_plain_newlines(source)) {}

    Result<std::vector<Token>> run();

private:
    string_view rest() const { return string_view(source_).substr(at_); }
    void advance(std::size_t bytes);
    void skip_space();
    void add(TokenKind kind, string_view text, Position at) {
        tokens_.push_back({kind, std::string(text), at});
    }
    std::size_t find_opening() const;
    void add_text(std::size_t end, bool is_trimmed);
    Result<void> read_opening();
    Result<void> skip_comment();
    std::optional<std::size_t> raw_opening() const;
    Result<void> read_raw(std::size_t opening_bytes);
    Result<void> read_tag(TokenKind begin, TokenKind end, string_view closing);
    bool close_tag(TokenKind end, string_view closing);
    Result<void> read_token();
    Result<void> read_string();
    Result<void> read_symbol();
    void read_number();
    std::size_t digits_from(std::size_t from) const;
    Result<void> balance(char symbol, Position at);

    std::string source_;
    std::size_t at_ = 0;
    Position position_;
    std::string open_brackets_;
    std::vector<Token> tokens_;
};

Result<std::vector<Token>> Lexer::run() {
    while (at_ < source_.size()) {
        const std::size_t opening = find_opening();
        if (opening == kNowhere) {
            add_text(source_.size(), false);
            break;
        }
        const bool is_trimmed = opening + 2 < source_.size() && source_[opening + 2] == '-';
        add_text(opening, is_trimmed);
        const auto read = read_opening();
        if (!read) return read.error();
    }
    add(TokenKind::kEnd, "end of the text", position_);
    return std::move(tokens_);
}

void Lexer::advance(std::size_t bytes) {
    for (const char byte : rest().substr(0, bytes)) {
        if (byte == '\n') {
            ++position_.line;
            position_.column = 1;
        } else if ((static_cast<unsigned char>(byte) & 0xC0) != 0x80) {
            ++position_.column;
        }
    }
    at_ += bytes;
}

void Lexer::skip_space() { advance(rest().size() - trim_left(rest()).size()); }

std::size_t Lexer::find_opening() const {
    std::size_t found = at_;
    while ((found = source_.find('{', found)) != kNowhere) {
        const char next = found + 1 < source_.size() ? source_[found + 1] : '\0';
        if (next == '{' || next == '%' || next == '#') return found;
        ++found;
    }
    return kNowhere;
}

void Lexer::add_text(std::size_t end, bool is_trimmed) {
    const string_view whole = string_view(source_).substr(at_, end - at_);
    const string_view text = is_trimmed ? trim_right(whole) : whole;
    if (!text.empty()) add(TokenKind::kText, text, position_);
    advance(whole.size());
}

Result<void> Lexer::read_opening() {
    if (const auto bytes = raw_opening()) return read_raw(*bytes);
    const char kind = source_[at_ + 1];
    if (kind == '#') return skip_comment();
    if (kind == '{') return read_tag(TokenKind::kPrintBegin, TokenKind::kPrintEnd, "}}");
    return read_tag(TokenKind::kTagBegin, TokenKind::kTagEnd, "%}");
}

Result<void> Lexer::skip_comment() {
    const Position begin = position_;
    const std::size_t sign = rest().substr(2).starts_with('-') || rest().substr(2).starts_with('+');
    advance(2 + sign);
    const std::size_t end = rest().find("#}");
    if (end == kNowhere) return error_at(begin, "this comment has no end; close it with '#}'");
    const bool is_trimmed = end > 0 && rest()[end - 1] == '-';
    advance(end + 2);
    if (is_trimmed) skip_space();
    return {};
}

/// Reads `{%`, a sign, `name`, and `%}` with a sign, from the beginning of `text`. The number of
/// bytes up to the end; white space behind a `-%}` counts.
std::optional<std::size_t> match_bare_tag(string_view text, string_view name, bool takes_plus) {
    const std::size_t all = text.size();
    if (!text.starts_with("{%")) return {};
    text.remove_prefix(2);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    text = trim_left(text);
    if (!text.starts_with(name)) return {};
    text = trim_left(text.substr(name.size()));
    if (text.starts_with("-%}")) return all - trim_left(text.substr(3)).size();
    if (takes_plus && text.starts_with("+%}")) return all - text.size() + 3;
    if (text.starts_with("%}")) return all - text.size() + 2;
    return {};
}

std::optional<std::size_t> Lexer::raw_opening() const {
    return match_bare_tag(rest(), "raw", false);
}

Result<void> Lexer::read_raw(std::size_t opening_bytes) {
    const Position begin = position_;
    advance(opening_bytes);
    std::size_t end = at_;
    while ((end = source_.find("{%", end)) != kNowhere) {
        const string_view closing = string_view(source_).substr(end);
        if (const auto bytes = match_bare_tag(closing, "endraw", true)) {
            add_text(end, closing.substr(2).starts_with('-'));
            advance(*bytes);
            return {};
        }
        end += 2;
    }
    return error_at(begin, "this raw block has no end; close it with '{% endraw %}'");
}

Result<void> Lexer::read_tag(TokenKind begin, TokenKind end, string_view closing) {
    const Position start = position_;
    add(begin, rest().substr(0, 2), start);
    advance(2);
    if (rest().starts_with('-') || rest().starts_with('+')) advance(1);
    open_brackets_.clear();
    while (true) {
        skip_space();
        if (at_ >= source_.size()) {
            return error_at(start, fmt::format("this tag has no end; close it with '{}'", closing));
        }
        if (open_brackets_.empty() && close_tag(end, closing)) return {};
        const auto read = read_token();
        if (!read) return read;
    }
}

bool Lexer::close_tag(TokenKind end, string_view closing) {
    const char sign = rest()[0];
    const bool is_signed = (sign == '-' || (sign == '+' && end == TokenKind::kTagEnd)) &&
                           rest().substr(1).starts_with(closing);
    if (!is_signed && !rest().starts_with(closing)) return false;
    add(end, closing, position_);
    advance(is_signed ? 3 : 2);
    if (is_signed && sign == '-') skip_space();
    return true;
}

Result<void> Lexer::read_token() {
    const char first = rest()[0];
    if (first == '"' || first == '\'') return read_string();
    if (is_digit(first)) {
        read_number();
        return {};
    }
    if (!begins_name(first)) return read_symbol();
    std::size_t end = 1;
    while (end < rest().size() && continues_name(rest()[end])) ++end;
    add(TokenKind::kName, rest().substr(0, end), position_);
    advance(end);
    return {};
}

Result<void> Lexer::read_string() {
    const char quote = rest()[0];
    std::size_t end = 1;
    while (end < rest().size() && rest()[end] != quote) end += rest()[end] == '\\' ? 2 : 1;
    if (end >= rest().size()) {
        return error_at(position_, fmt::format("this string has no end; close it with {}", quote));
    }
    QUIRE_TRY(const std::string text, unescaped(rest().substr(1, end - 1), position_));
    add(TokenKind::kString, text, position_);
    advance(end + 1);
    return {};
}

/// Digits, with single underscores between them.
std::size_t Lexer::digits_from(std::size_t from) const {
    const string_view text = rest();
    std::size_t end = from;
    while (end < text.size() &&
           (is_digit(text[end]) ||
            (text[end] == '_' && end > from && end + 1 < text.size() && is_digit(text[end + 1])))) {
        ++end;
    }
    return end;
}

void Lexer::read_number() {
    // In `list.0.1` the numbers are two indexes.
    const bool is_index = !tokens_.empty() && tokens_.back().is_symbol(".");
    const std::size_t whole = digits_from(0);
    std::size_t end = whole;
    if (!is_index) {
        if (end < rest().size() && rest()[end] == '.' && digits_from(end + 1) > end + 1) {
            end = digits_from(end + 1);
        }
        if (end < rest().size() && (rest()[end] == 'e' || rest()[end] == 'E')) {
            const bool has_sign =
                end + 1 < rest().size() && (rest()[end + 1] == '-' || rest()[end + 1] == '+');
            const std::size_t digits = end + 1 + (has_sign ? 1 : 0);
            if (digits_from(digits) > digits) end = digits_from(digits);
        }
    }
    std::string text(rest().substr(0, end));
    std::erase(text, '_');
    add(end == whole ? TokenKind::kInteger : TokenKind::kFloat, text, position_);
    advance(end);
}

Result<void> Lexer::read_symbol() {
    constexpr std::array<string_view, 6> kPairs{"//", "**", "==", "!=", ">=", "<="};
    constexpr string_view kSingles = "+-/*%~[](){}><=.:|,;";
    for (const string_view pair : kPairs) {
        if (!rest().starts_with(pair)) continue;
        add(TokenKind::kSymbol, pair, position_);
        advance(2);
        return {};
    }
    const string_view character = first_character(rest());
    if (kSingles.find(character) == kNowhere) {
        return error_at(position_, fmt::format("'{}' has no meaning here; names are of ASCII "
                                               "letters, digits and _, texts stand in quotes",
                                               character));
    }
    const auto balanced = balance(character[0], position_);
    if (!balanced) return balanced;
    add(TokenKind::kSymbol, character, position_);
    advance(1);
    return {};
}

Result<void> Lexer::balance(char symbol, Position at) {
    constexpr string_view kOpening = "([{";
    constexpr string_view kClosing = ")]}";
    if (const auto kind = kOpening.find(symbol); kind != kNowhere) {
        open_brackets_ += kClosing[kind];
    } else if (kClosing.find(symbol) != kNowhere) {
        if (!open_brackets_.ends_with(symbol)) {
            return error_at(at, fmt::format("'{}' closes nothing", symbol));
        }
        open_brackets_.pop_back();
    }
    return {};
}

}  // namespace

Error error_at(Position at, string_view message) {
    const string_view shown = message.substr(0, bytes_of(message, kMessageCharactersMax));
    return {ErrorCode::kTemplateError,
            fmt::format("line {}, column {}: {}", at.line, at.column, shown)};
}

Result<std::vector<Token>> tokens_of(string_view source) {
    if (!runtime::is_valid_utf8(source)) {
        return Error(ErrorCode::kTemplateError, "the template is no valid UTF-8");
    }
    return Lexer(source).run();
}

}  // namespace quire::prompts
