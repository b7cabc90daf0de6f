#include "services/prompts/template/expression_parser.hpp"

#include "runtime/config/suggestion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace quire::prompts {
namespace {

using Kind = ExpressionKind;

constexpr std::size_t kLikenedBytesMax = 64;  // the distance of two words takes their product

constexpr std::array<std::string_view, 13> kReserved{
    "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"};

Expression node(Kind kind, Position at) {
    Expression expression;
    expression.kind = kind;
    expression.at = at;
    return expression;
}

Error unexpected(const Token& token, std::string_view wanted) {
    return error_at(token.at, fmt::format("'{}' stands where {} belongs", token.text, wanted));
}

/// Counts one level of recursion while it lives.
class Level {
public:
    explicit Level(std::size_t& depth) : depth_(depth) { ++depth_; }
    ~Level() { --depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

private:
    std::size_t& depth_;
};

Error too_deep(Position at, std::size_t max) {
    return error_at(at, fmt::format("this expression is nested in more than {} levels; take it "
                                    "apart with 'set'",
                                    max));
}

}  // namespace

bool TokenStream::skip_symbol(std::string_view symbol) {
    if (!peek().is_symbol(symbol)) return false;
    next();
    return true;
}

bool TokenStream::skip_name(std::string_view name) {
    if (!peek().is_name(name)) return false;
    next();
    return true;
}

Result<void> TokenStream::expect_symbol(std::string_view symbol) {
    if (skip_symbol(symbol)) return {};
    return unexpected(peek(), fmt::format("'{}'", symbol));
}

bool is_reserved(std::string_view name) { return std::ranges::count(kReserved, name) > 0; }

std::string suggestion(std::string_view wanted, const std::vector<std::string>& names) {
    return fmt::format("did you mean '{}'? There are {}",
                       config::closest_name(wanted.substr(0, kLikenedBytesMax), names),
                       fmt::join(names, ", "));
}

Result<ExpressionPtr> ExpressionParser::made(Expression expression) const {
    for (const ExpressionPtr& part : expression.parts) {
        if (part) expression.depth = std::max(expression.depth, part->depth + 1);
    }
    if (expression.depth > limits_.nesting_max) return too_deep(expression.at, limits_.nesting_max);
    return ExpressionPtr(std::make_unique<const Expression>(std::move(expression)));
}

Result<ExpressionPtr> ExpressionParser::parse() {
    const Level level(depth_);
    if (depth_ > limits_.nesting_max) return too_deep(tokens_.peek().at, limits_.nesting_max);
    return parse_choice();
}

Result<ExpressionPtr> ExpressionParser::parse_tuple(bool has_choice, bool may_be_empty) {
    const auto ends = [this] {
        const Token& token = tokens_.peek();
        return token.kind == TokenKind::kPrintEnd || token.kind == TokenKind::kTagEnd ||
               token.is_symbol(")");
    };
    Expression tuple = node(Kind::kTuple, tokens_.peek().at);
    bool is_tuple = false;
    while (!ends()) {
        QUIRE_TRY(ExpressionPtr part, has_choice ? parse() : parse_or());
        tuple.parts.push_back(std::move(part));
        if (!tokens_.skip_symbol(",")) break;
        is_tuple = true;
    }
    if (!is_tuple && tuple.parts.size() == 1) return std::move(tuple.parts[0]);
    if (tuple.parts.empty() && !may_be_empty) return unexpected(tokens_.peek(), "an expression");
    return made(std::move(tuple));
}

Result<ExpressionPtr> ExpressionParser::parse_choice() {
    QUIRE_TRY(ExpressionPtr value, parse_or());
    while (tokens_.peek().is_name("if")) {
        Expression choice = node(Kind::kChoice, tokens_.next().at);
        QUIRE_TRY(ExpressionPtr condition, parse_or());
        ExpressionPtr otherwise;
        if (tokens_.skip_name("else")) {
            QUIRE_TRY(otherwise, parse());
        }
        choice.parts.push_back(std::move(condition));
        choice.parts.push_back(std::move(value));
        choice.parts.push_back(std::move(otherwise));
        QUIRE_TRY(value, made(std::move(choice)));
    }
    return value;
}

Result<ExpressionPtr> ExpressionParser::parse_joined(Parse operand, std::string_view word,
                                                     ExpressionKind kind) {
    QUIRE_TRY(ExpressionPtr first, (this->*operand)());
    const Token& token = tokens_.peek();
    if (token.text != word || token.kind == TokenKind::kString) return first;
    Expression joined = node(kind, token.at);
    joined.parts.push_back(std::move(first));
    while (tokens_.skip_name(word) || tokens_.skip_symbol(word)) {
        QUIRE_TRY(ExpressionPtr next, (this->*operand)());
        joined.parts.push_back(std::move(next));
    }
    return made(std::move(joined));
}

Result<ExpressionPtr> ExpressionParser::parse_or() {
    return parse_joined(&ExpressionParser::parse_and, "or", Kind::kOr);
}

Result<ExpressionPtr> ExpressionParser::parse_and() {
    return parse_joined(&ExpressionParser::parse_not, "and", Kind::kAnd);
}

Result<ExpressionPtr> ExpressionParser::parse_concat() {
    return parse_joined(&ExpressionParser::parse_product, "~", Kind::kConcat);
}

Result<ExpressionPtr> ExpressionParser::parse_not() {
    if (!tokens_.peek().is_name("not")) return parse_compare();
    const Level level(depth_);
    if (depth_ > limits_.nesting_max) return too_deep(tokens_.peek().at, limits_.nesting_max);
    Expression negation = node(Kind::kNot, tokens_.next().at);
    QUIRE_TRY(ExpressionPtr part, parse_not());
    negation.parts.push_back(std::move(part));
    return made(std::move(negation));
}

Result<ExpressionPtr> ExpressionParser::parse_compare() {
    static constexpr std::array<Infix, 6> kInfixes{{{"==", Operator::kEqual},
                                                    {"!=", Operator::kNotEqual},
                                                    {"<", Operator::kLess},
                                                    {"<=", Operator::kLessOrEqual},
                                                    {">", Operator::kGreater},
                                                    {">=", Operator::kGreaterOrEqual}}};
    Expression compare = node(Kind::kCompare, tokens_.peek().at);
    QUIRE_TRY(ExpressionPtr first, parse_sum());
    compare.parts.push_back(std::move(first));
    while (true) {
        const auto infix = std::ranges::find_if(
            kInfixes, [this](const Infix& row) { return tokens_.peek().is_symbol(row.symbol); });
        if (infix != kInfixes.end()) {
            tokens_.next();
            compare.operators.push_back(infix->meaning);
        } else if (tokens_.skip_name("in")) {
            compare.operators.push_back(Operator::kIn);
        } else if (tokens_.peek().is_name("not") && tokens_.peek(1).is_name("in")) {
            tokens_.next();
            tokens_.next();
            compare.operators.push_back(Operator::kNotIn);
        } else {
            break;
        }
        QUIRE_TRY(ExpressionPtr next, parse_sum());
        compare.parts.push_back(std::move(next));
    }
    if (compare.operators.empty()) return std::move(compare.parts[0]);
    return made(std::move(compare));
}

Result<ExpressionPtr> ExpressionParser::parse_infix(Parse operand, std::span<const Infix> infixes) {
    Expression chain = node(Kind::kArithmetic, tokens_.peek().at);
    QUIRE_TRY(ExpressionPtr first, (this->*operand)());
    chain.parts.push_back(std::move(first));
    while (true) {
        const auto infix = std::ranges::find_if(
            infixes, [this](const Infix& row) { return tokens_.peek().is_symbol(row.symbol); });
        if (infix == infixes.end()) break;
        tokens_.next();
        chain.operators.push_back(infix->meaning);
        QUIRE_TRY(ExpressionPtr next, (this->*operand)());
        chain.parts.push_back(std::move(next));
    }
    if (chain.operators.empty()) return std::move(chain.parts[0]);
    return made(std::move(chain));
}

Result<ExpressionPtr> ExpressionParser::parse_sum() {
    static constexpr std::array<Infix, 2> kInfixes{
        {{"+", Operator::kAdd}, {"-", Operator::kSubtract}}};
    return parse_infix(&ExpressionParser::parse_concat, kInfixes);
}

Result<ExpressionPtr> ExpressionParser::parse_product() {
    static constexpr std::array<Infix, 4> kInfixes{{{"*", Operator::kMultiply},
                                                    {"/", Operator::kDivide},
                                                    {"//", Operator::kFloorDivide},
                                                    {"%", Operator::kModulo}}};
    return parse_infix(&ExpressionParser::parse_unary, kInfixes);
}

Result<ExpressionPtr> ExpressionParser::parse_signed(bool has_filters) {
    const bool is_negated = tokens_.peek().is_symbol("-");
    ExpressionPtr value;
    if (is_negated || tokens_.peek().is_symbol("+")) {
        const Level level(depth_);
        if (depth_ > limits_.nesting_max) return too_deep(tokens_.peek().at, limits_.nesting_max);
        Expression sign = node(is_negated ? Kind::kNegate : Kind::kAffirm, tokens_.next().at);
        QUIRE_TRY(ExpressionPtr part, parse_signed(false));
        sign.parts.push_back(std::move(part));
        QUIRE_TRY(value, made(std::move(sign)));
    } else {
        QUIRE_TRY(value, parse_primary());
    }
    QUIRE_TRY(value, parse_postfix(std::move(value)));
    if (!has_filters) return value;
    return parse_filters(std::move(value));
}

Result<ExpressionPtr> ExpressionParser::parse_primary() {
    const Token& token = tokens_.peek();
    switch (token.kind) {
        case TokenKind::kName:
            return parse_name();
        case TokenKind::kInteger:
        case TokenKind::kFloat:
            return parse_number();
        case TokenKind::kString: {
            Expression text = node(Kind::kConstant, token.at);
            std::string joined;
            while (tokens_.peek().kind == TokenKind::kString) joined += tokens_.next().text;
            text.constant = text_value(std::move(joined));
            return made(std::move(text));
        }
        default:
            break;
    }
    if (token.is_symbol("[")) return parse_list();
    if (token.is_symbol("{")) {
        return error_at(token.at, "objects cannot be written in a template; give one as variable");
    }
    if (!tokens_.skip_symbol("(")) return unexpected(token, "a value");
    QUIRE_TRY(ExpressionPtr inner, parse_tuple(true, true));
    const auto closed = tokens_.expect_symbol(")");
    if (!closed) return closed.error();
    return inner;
}

Result<ExpressionPtr> ExpressionParser::parse_name() {
    const Token token = tokens_.next();
    Expression expression = node(Kind::kConstant, token.at);
    if (token.text == "true" || token.text == "True" || token.text == "false" ||
        token.text == "False") {
        expression.constant = token.text == "true" || token.text == "True";
    } else if (token.text == "none" || token.text == "None") {
        expression.constant = None{};
    } else if (is_reserved(token.text)) {
        return unexpected(token, "a value");
    } else if (tokens_.peek().is_symbol("(")) {
        if (token.text == "range") return parse_range();
        return error_at(token.at, fmt::format("there is no function '{}', only range; what changes "
                                              "a value is written as value | filter",
                                              token.text));
    } else {
        expression.kind = Kind::kName;
        expression.name = token.text;
    }
    return made(std::move(expression));
}

Result<ExpressionPtr> ExpressionParser::parse_number() {
    const Token token = tokens_.next();
    Expression number = node(Kind::kConstant, token.at);
    const char* begin = token.text.data();
    const char* end = begin + token.text.size();
    if (token.kind == TokenKind::kFloat) {
        double read = 0;
        if (std::from_chars(begin, end, read).ec != std::errc{}) {
            return error_at(token.at, fmt::format("the number {} is out of range", token.text));
        }
        number.constant = read;
        return made(std::move(number));
    }
    if (token.text.size() > limits_.integer_digits_max) {
        return error_at(token.at, fmt::format("the number {} has more than {} digits", token.text,
                                              limits_.integer_digits_max));
    }
    std::int64_t read = 0;
    if (std::from_chars(begin, end, read).ec != std::errc{}) {
        return error_at(token.at, fmt::format("the number {} has more than 64 bits", token.text));
    }
    if (token.text[0] == '0' && read != 0) {
        return error_at(token.at, fmt::format("{} begins with 0; write {}", token.text, read));
    }
    number.constant = read;
    return made(std::move(number));
}

Result<ExpressionPtr> ExpressionParser::parse_list() {
    Expression list = node(Kind::kList, tokens_.next().at);
    while (!tokens_.peek().is_symbol("]")) {
        QUIRE_TRY(ExpressionPtr item, parse());
        list.parts.push_back(std::move(item));
        if (!tokens_.skip_symbol(",")) break;
    }
    const auto closed = tokens_.expect_symbol("]");
    if (!closed) return closed.error();
    return made(std::move(list));
}

Result<ExpressionPtr> ExpressionParser::parse_range() {
    Expression range = node(Kind::kRange, tokens_.next().at);
    while (!tokens_.peek().is_symbol(")")) {
        QUIRE_TRY(ExpressionPtr bound, parse());
        range.parts.push_back(std::move(bound));
        if (!tokens_.skip_symbol(",")) break;
    }
    const auto closed = tokens_.expect_symbol(")");
    if (!closed) return closed.error();
    if (range.parts.empty() || range.parts.size() > 3) {
        return error_at(range.at, "range takes (stop), (start, stop) or (start, stop, step)");
    }
    return made(std::move(range));
}

}  // namespace quire::prompts
