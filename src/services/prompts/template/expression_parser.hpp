#pragma once

#include "services/prompts/template/lexer.hpp"
#include "services/prompts/template/syntax_tree.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quire::prompts {

/// The tokens, and where the parser stands in them.
class TokenStream {
public:
    explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

    const Token& peek(std::size_t ahead = 0) const {
        return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
    }
    Token next() {
        Token token = peek();
        if (at_ + 1 < tokens_.size()) ++at_;
        return token;
    }
    bool skip_symbol(std::string_view symbol);
    bool skip_name(std::string_view name);
    Result<void> expect_symbol(std::string_view symbol);

private:
    std::vector<Token> tokens_;
    std::size_t at_ = 0;
};

/// Whether the name has a meaning of its own in expressions.
bool is_reserved(std::string_view name);
/// ", did you mean 'upper'?" when something close is there, and what there is.
std::string suggestion(std::string_view wanted, const std::vector<std::string>& names);

/// Recursive descent over one expression, with jinja2's precedence.
class ExpressionParser {
public:
    ExpressionParser(TokenStream& tokens, const TemplateLimits& limits)
        : tokens_(tokens), limits_(limits) {}

    Result<ExpressionPtr> parse();
    /// Several with commas between them are a tuple; without `has_choice` an `if` ends it.
    Result<ExpressionPtr> parse_tuple(bool has_choice = true, bool may_be_empty = false);

private:
    using Parts = std::vector<ExpressionPtr>;
    using Parse = Result<ExpressionPtr> (ExpressionParser::*)();
    struct Infix {
        std::string_view symbol;
        Operator meaning;
    };

    Result<ExpressionPtr> parse_choice();
    Result<ExpressionPtr> parse_or();
    Result<ExpressionPtr> parse_and();
    Result<ExpressionPtr> parse_not();
    Result<ExpressionPtr> parse_compare();
    Result<ExpressionPtr> parse_sum();
    Result<ExpressionPtr> parse_concat();
    Result<ExpressionPtr> parse_product();
    Result<ExpressionPtr> parse_unary() { return parse_signed(true); }
    Result<ExpressionPtr> parse_signed(bool has_filters);
    Result<ExpressionPtr> parse_primary();
    Result<ExpressionPtr> parse_name();
    Result<ExpressionPtr> parse_number();
    Result<ExpressionPtr> parse_list();
    Result<ExpressionPtr> parse_range();
    Result<ExpressionPtr> parse_postfix(ExpressionPtr base);
    Result<ExpressionPtr> parse_attribute(ExpressionPtr base);
    Result<ExpressionPtr> parse_subscript(ExpressionPtr base);
    Result<ExpressionPtr> parse_filters(ExpressionPtr base);
    Result<ExpressionPtr> parse_filter(ExpressionPtr base);
    Result<void> parse_arguments(const Filter& filter, Parts& parts);
    Result<std::size_t> parse_slot(const Filter& filter, std::size_t position);
    Result<ExpressionPtr> parse_test(ExpressionPtr base);
    Result<ExpressionPtr> parse_joined(Parse operand, std::string_view word, ExpressionKind kind);
    Result<ExpressionPtr> parse_infix(Parse operand, std::span<const Infix> infixes);
    Result<ExpressionPtr> made(Expression expression) const;

    TokenStream& tokens_;
    const TemplateLimits& limits_;
    std::size_t depth_ = 0;
};

}  // namespace quire::prompts
