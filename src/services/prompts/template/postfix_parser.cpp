#include "services/prompts/template/expression_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace quire::prompts {
namespace {

using Kind = ExpressionKind;

constexpr std::array<std::pair<std::string_view, TestKind>, 13> kTests{
    {{"defined", TestKind::kDefined},
     {"undefined", TestKind::kUndefined},
     {"none", TestKind::kNone},
     {"boolean", TestKind::kBoolean},
     {"true", TestKind::kTrue},
     {"false", TestKind::kFalse},
     {"integer", TestKind::kInteger},
     {"float", TestKind::kFloat},
     {"number", TestKind::kNumber},
     {"string", TestKind::kString},
     {"mapping", TestKind::kMapping},
     {"sequence", TestKind::kSequence},
     {"iterable", TestKind::kIterable}}};

Expression node(Kind kind, Position at, ExpressionPtr base) {
    Expression expression;
    expression.kind = kind;
    expression.at = at;
    expression.parts.push_back(std::move(base));
    return expression;
}

std::vector<std::string> test_names() {
    std::vector<std::string> names;
    for (const auto& [name, kind] : kTests) names.emplace_back(name);
    return names;
}

}  // namespace

Result<ExpressionPtr> ExpressionParser::parse_postfix(ExpressionPtr base) {
    while (true) {
        const Token& token = tokens_.peek();
        if (token.is_symbol(".")) {
            QUIRE_TRY(base, parse_attribute(std::move(base)));
        } else if (token.is_symbol("[")) {
            QUIRE_TRY(base, parse_subscript(std::move(base)));
        } else if (token.is_symbol("(")) {
            return error_at(token.at, "only range(...) and object.items() can be called");
        } else {
            return base;
        }
    }
}

Result<ExpressionPtr> ExpressionParser::parse_attribute(ExpressionPtr base) {
    const Position at = tokens_.next().at;
    const Token token = tokens_.peek();
    if (token.kind == TokenKind::kInteger) {
        Expression item = node(Kind::kItem, at, std::move(base));
        QUIRE_TRY(ExpressionPtr index, parse_number());
        item.parts.push_back(std::move(index));
        return made(std::move(item));
    }
    if (token.kind != TokenKind::kName) {
        return error_at(token.at, fmt::format("'{}' stands where a name belongs", token.text));
    }
    tokens_.next();
    if (!tokens_.peek().is_symbol("(")) {
        Expression attribute = node(Kind::kAttribute, at, std::move(base));
        attribute.name = token.text;
        return made(std::move(attribute));
    }
    if (token.text != "items" || !tokens_.peek(1).is_symbol(")")) {
        return error_at(token.at, fmt::format("'{}' cannot be called; only .items() can, and what "
                                              "changes a value is written as value | filter",
                                              token.text));
    }
    tokens_.next();
    tokens_.next();
    return made(node(Kind::kItems, at, std::move(base)));
}

Result<ExpressionPtr> ExpressionParser::parse_subscript(ExpressionPtr base) {
    Expression item = node(Kind::kItem, tokens_.next().at, std::move(base));
    ExpressionPtr begin;
    if (!tokens_.peek().is_symbol(":")) {
        QUIRE_TRY(begin, parse());
    }
    item.parts.push_back(std::move(begin));
    if (tokens_.skip_symbol(":")) {
        item.kind = Kind::kSlice;
        ExpressionPtr end;
        if (!tokens_.peek().is_symbol("]") && !tokens_.peek().is_symbol(":")) {
            QUIRE_TRY(end, parse());
        }
        item.parts.push_back(std::move(end));
    }
    if (tokens_.peek().is_symbol(":")) {
        return error_at(tokens_.peek().at, "a slice has a begin and an end, and no step");
    }
    const auto closed = tokens_.expect_symbol("]");
    if (!closed) return closed.error();
    return made(std::move(item));
}

Result<ExpressionPtr> ExpressionParser::parse_filters(ExpressionPtr base) {
    while (true) {
        const Token& token = tokens_.peek();
        if (token.is_symbol("|")) {
            QUIRE_TRY(base, parse_filter(std::move(base)));
        } else if (token.is_name("is")) {
            QUIRE_TRY(base, parse_test(std::move(base)));
        } else if (token.is_symbol("(")) {
            return error_at(token.at, "only range(...) and object.items() can be called");
        } else {
            return base;
        }
    }
}

Result<ExpressionPtr> ExpressionParser::parse_filter(ExpressionPtr base) {
    tokens_.next();
    const Token token = tokens_.next();
    const Filter* filter = token.kind == TokenKind::kName ? find_filter(token.text) : nullptr;
    if (filter == nullptr) {
        return error_at(token.at, fmt::format("there is no filter '{}'; {}", token.text,
                                              suggestion(token.text, filter_names())));
    }
    Expression expression = node(Kind::kFilter, token.at, std::move(base));
    expression.filter = filter;
    expression.parts.resize(1 + filter->parameter_count());
    if (tokens_.skip_symbol("(")) {
        const auto read = parse_arguments(*filter, expression.parts);
        if (!read) return read.error();
    }
    for (std::size_t i = 0; i < filter->needed; ++i) {
        if (expression.parts[1 + i] != nullptr) continue;
        return error_at(token.at, fmt::format("the filter '{}' needs its argument '{}'",
                                              filter->name, filter->parameters[i]));
    }
    return made(std::move(expression));
}

Result<void> ExpressionParser::parse_arguments(const Filter& filter, Parts& parts) {
    for (std::size_t position = 0; !tokens_.peek().is_symbol(")"); ++position) {
        QUIRE_TRY(const std::size_t slot, parse_slot(filter, position));
        const Position at = tokens_.peek().at;
        if (parts[1 + slot] != nullptr) {
            return error_at(
                at, fmt::format("the argument '{}' is given twice", filter.parameters[slot]));
        }
        QUIRE_TRY(parts[1 + slot], parse());
        if (!tokens_.skip_symbol(",")) break;
    }
    return tokens_.expect_symbol(")");
}

Result<std::size_t> ExpressionParser::parse_slot(const Filter& filter, std::size_t position) {
    const std::size_t count = filter.parameter_count();
    const Token& token = tokens_.peek();
    if (token.kind != TokenKind::kName || !tokens_.peek(1).is_symbol("=")) {
        if (position < count) return position;
        return error_at(token.at, fmt::format("the filter '{}' takes {} arguments at most",
                                              filter.name, count));
    }
    const auto known = std::ranges::find(filter.parameters, token.text);
    if (known == filter.parameters.end()) {
        return error_at(
            token.at, fmt::format("the filter '{}' has no argument '{}'", filter.name, token.text));
    }
    tokens_.next();
    tokens_.next();
    return static_cast<std::size_t>(known - filter.parameters.begin());
}

Result<ExpressionPtr> ExpressionParser::parse_test(ExpressionPtr base) {
    tokens_.next();
    const bool is_negated = tokens_.skip_name("not");
    const Token token = tokens_.next();
    const auto known =
        std::ranges::find_if(kTests, [&](const auto& row) { return token.is_name(row.first); });
    if (known == kTests.end()) {
        return error_at(token.at, fmt::format("there is no test '{}'; {}", token.text,
                                              suggestion(token.text, test_names())));
    }
    Expression test = node(Kind::kTest, token.at, std::move(base));
    test.test = known->second;
    if (tokens_.peek().is_name("is")) {
        return error_at(tokens_.peek().at, "tests are joined by and/or, not one behind the other");
    }
    QUIRE_TRY(ExpressionPtr made_test, made(std::move(test)));
    if (!is_negated) return made_test;
    return made(node(Kind::kNot, token.at, std::move(made_test)));
}

}  // namespace quire::prompts
