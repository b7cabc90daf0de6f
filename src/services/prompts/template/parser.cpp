#include "services/prompts/template/parser.hpp"

#include "services/prompts/template/undeclared_names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace quire::prompts {
namespace {

/// Tags of Jinja that a prompt cannot have; named so that the error says so.
constexpr std::array<std::string_view, 15> kForeignTags{
    "autoescape", "block",  "break",   "call",  "continue", "do",   "extends", "filter",
    "from",       "import", "include", "macro", "print",    "with", "trans"};

using Statements = std::vector<Statement>;

/// Reads text and tags; expressions are another parser's.
class StatementParser {
public:
    StatementParser(TokenStream& tokens, const TemplateLimits& limits)
        : tokens_(tokens), limits_(limits), expressions_(tokens, limits) {}

    /// Up to a tag named in `ends`, whose name is the next token then; or to the end of the text.
    Result<Statements> parse_until(const std::vector<std::string>& ends);

private:
    Result<Statement> parse_print();
    Result<Statement> parse_tag(const std::vector<std::string>& ends);
    Result<Statement> parse_if(Position at);
    Result<Statement> parse_for(Position at);
    Result<Statement> parse_set(Position at);
    Result<Targets> parse_targets(std::string_view tag);
    Result<std::string> parse_target();
    Result<Statements> parse_body(Position opened, std::string_view tag,
                                  const std::vector<std::string>& ends);
    Result<void> close_tag();

    TokenStream& tokens_;
    const TemplateLimits& limits_;
    ExpressionParser expressions_;
    std::size_t depth_ = 0;
};

Statement statement(StatementKind kind, Position at) {
    Statement made;
    made.kind = kind;
    made.at = at;
    return made;
}

Result<Statements> StatementParser::parse_until(const std::vector<std::string>& ends) {
    Statements statements;
    while (tokens_.peek().kind != TokenKind::kEnd) {
        const Token token = tokens_.next();
        if (token.kind == TokenKind::kText) {
            statements.push_back(statement(StatementKind::kText, token.at));
            statements.back().text = token.text;
        } else if (token.kind == TokenKind::kPrintBegin) {
            QUIRE_TRY(Statement print, parse_print());
            statements.push_back(std::move(print));
        } else {
            const Token& name = tokens_.peek();
            if (name.kind == TokenKind::kName && std::ranges::count(ends, name.text) > 0) break;
            QUIRE_TRY(Statement tag, parse_tag(ends));
            statements.push_back(std::move(tag));
        }
    }
    return statements;
}

Result<Statement> StatementParser::parse_print() {
    Statement print = statement(StatementKind::kPrint, tokens_.peek().at);
    QUIRE_TRY(print.value, expressions_.parse_tuple());
    const Token end = tokens_.next();
    if (end.kind != TokenKind::kPrintEnd) {
        return error_at(end.at,
                        fmt::format("'{}' stands where '}}}}' or an operator belongs", end.text));
    }
    return print;
}

Result<void> StatementParser::close_tag() {
    const Token end = tokens_.next();
    if (end.kind == TokenKind::kTagEnd) return {};
    return error_at(end.at, fmt::format("'{}' stands where '%}}' belongs", end.text));
}

Result<Statement> StatementParser::parse_tag(const std::vector<std::string>& ends) {
    const Token tag = tokens_.next();
    if (tag.is_name("if")) return parse_if(tag.at);
    if (tag.is_name("for")) return parse_for(tag.at);
    if (tag.is_name("set")) return parse_set(tag.at);
    if (tag.kind != TokenKind::kName) {
        return error_at(tag.at,
                        fmt::format("'{}' stands where the name of a tag belongs", tag.text));
    }
    if (std::ranges::count(kForeignTags, tag.text) > 0) {
        return error_at(tag.at, fmt::format("the tag '{}' of Jinja is not supported here; there "
                                            "are if, for, set and raw",
                                            tag.text));
    }
    std::vector<std::string> known{"for", "if", "raw", "set"};
    known.insert(known.end(), ends.begin(), ends.end());
    return error_at(tag.at, fmt::format("there is no tag '{}' here; {}", tag.text,
                                        suggestion(tag.text, known)));
}

Result<Statements> StatementParser::parse_body(Position opened, std::string_view tag,
                                               const std::vector<std::string>& ends) {
    tokens_.skip_symbol(":");  // as jinja2 allows
    const auto closed = close_tag();
    if (!closed) return closed.error();
    if (++depth_ > limits_.nesting_max) {
        return error_at(
            opened, fmt::format("blocks are nested in more than {} levels", limits_.nesting_max));
    }
    QUIRE_TRY(Statements body, parse_until(ends));
    --depth_;
    if (tokens_.peek().kind == TokenKind::kEnd) {
        return error_at(opened,
                        fmt::format("this {} has no end; close it with '{{% end{} %}}'", tag, tag));
    }
    return body;
}

Result<Statement> StatementParser::parse_if(Position at) {
    Statement made = statement(StatementKind::kIf, at);
    bool is_else = false;
    while (true) {
        Branch branch;
        if (!is_else) {
            QUIRE_TRY(branch.condition, expressions_.parse_tuple(false));
        }
        const std::vector<std::string> ends =
            is_else ? std::vector<std::string>{"endif"}
                    : std::vector<std::string>{"elif", "else", "endif"};
        QUIRE_TRY(branch.body, parse_body(at, "if", ends));
        made.branches.push_back(std::move(branch));
        const Token next = tokens_.next();
        if (next.text == "endif") break;
        is_else = next.text == "else";
    }
    const auto closed = close_tag();
    if (!closed) return closed.error();
    return made;
}

Result<Statement> StatementParser::parse_for(Position at) {
    Statement made = statement(StatementKind::kFor, at);
    QUIRE_TRY(made.targets, parse_targets("for"));
    if (!tokens_.skip_name("in")) {
        return error_at(tokens_.peek().at, "a for is written {% for NAME in LIST %}");
    }
    QUIRE_TRY(made.value, expressions_.parse_tuple(false));
    if (tokens_.skip_name("if")) {
        QUIRE_TRY(made.filter, expressions_.parse());
    }
    made.branches.emplace_back();
    QUIRE_TRY(made.branches[0].body, parse_body(at, "for", {"else", "endfor"}));
    if (tokens_.next().text == "else") {
        made.branches.emplace_back();
        QUIRE_TRY(made.branches[1].body, parse_body(at, "for", {"endfor"}));
        tokens_.next();
    }
    const auto closed = close_tag();
    if (!closed) return closed.error();
    return made;
}

Result<Statement> StatementParser::parse_set(Position at) {
    Statement made = statement(StatementKind::kSet, at);
    QUIRE_TRY(made.targets, parse_targets("set"));
    if (!tokens_.skip_symbol("=")) {
        return error_at(tokens_.peek().at, "a set is written {% set NAME = VALUE %}");
    }
    QUIRE_TRY(made.value, expressions_.parse_tuple());
    const auto closed = close_tag();
    if (!closed) return closed.error();
    return made;
}

Result<Targets> StatementParser::parse_targets(std::string_view tag) {
    Targets targets;
    while (true) {
        const Token& token = tokens_.peek();
        QUIRE_TRY(std::string name, parse_target());
        targets.names.push_back(std::move(name));
        if (!tokens_.skip_symbol(",")) return targets;
        targets.is_tuple = true;
        if (targets.names.size() > limits_.nesting_max) {
            return error_at(token.at,
                            fmt::format("a {} takes {} names at most", tag, limits_.nesting_max));
        }
    }
}

Result<std::string> StatementParser::parse_target() {
    const Token token = tokens_.next();
    if (token.kind != TokenKind::kName || is_reserved(token.text)) {
        return error_at(token.at, fmt::format("'{}' stands where a name belongs", token.text));
    }
    if (token.text == "loop") {
        return error_at(token.at, "'loop' is the name of the loop itself; take another one");
    }
    return token.text;
}

}  // namespace

Result<std::shared_ptr<const ParsedTemplate>> parse_template(std::string_view source,
                                                             const TemplateLimits& limits) {
    if (source.size() > limits.source_bytes_max) {
        return template_error(fmt::format("the template has {} bytes; at most {} are possible",
                                          source.size(), limits.source_bytes_max));
    }
    QUIRE_TRY(std::vector<Token> read, tokens_of(source));
    TokenStream tokens(std::move(read));
    auto parsed = std::make_shared<ParsedTemplate>();
    parsed->limits = limits;
    QUIRE_TRY(parsed->statements, StatementParser(tokens, parsed->limits).parse_until({}));
    parsed->variables = undeclared_names(parsed->statements);
    return std::shared_ptr<const ParsedTemplate>(std::move(parsed));
}

}  // namespace quire::prompts
