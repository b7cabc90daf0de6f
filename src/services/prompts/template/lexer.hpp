#pragma once

#include "services/prompts/template/syntax_tree.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace quire::prompts {

enum class TokenKind {
    kText,
    kPrintBegin,
    kPrintEnd,
    kTagBegin,
    kTagEnd,
    kName,
    kString,
    kInteger,
    kFloat,
    kSymbol,
    kEnd,
};

struct Token {
    TokenKind kind = TokenKind::kEnd;
    std::string text;  ///< of a string without quotes and escapes; "end of the text" at the end
    Position at;

    bool is_symbol(std::string_view symbol) const {
        return kind == TokenKind::kSymbol && text == symbol;
    }
    bool is_name(std::string_view name) const { return kind == TokenKind::kName && text == name; }
};

/// kTemplateError that begins with the line and the column.
Error error_at(Position at, std::string_view message);

/// Text, and what stands between `{{`, `{%` and their ends. Comments and raw blocks are gone, and
/// the white space that a `-` takes away. The last token is kEnd. kTemplateError with line and
/// column.
Result<std::vector<Token>> tokens_of(std::string_view source);

/// The text of a quoted string without its escapes.
Result<std::string> unescaped(std::string_view quoted, Position at);

}  // namespace quire::prompts
