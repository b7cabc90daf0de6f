#pragma once

#include "services/prompts/template/filters.hpp"
#include "services/prompts/template/template_limits.hpp"
#include "services/prompts/template/value.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quire::prompts {

struct Position {
    std::uint32_t line = 1;
    std::uint32_t column = 1;
};

enum class ExpressionKind {
    kConstant,
    kName,
    kList,
    kTuple,
    kAttribute,  ///< parts[0] . name
    kItem,       ///< parts[0] [ parts[1] ]
    kSlice,      ///< parts[0] [ parts[1] : parts[2] ], either may be null
    kItems,      ///< parts[0] .items()
    kRange,      ///< range(parts...)
    kFilter,     ///< parts[0] | filter; the others are its arguments, null when not given
    kTest,       ///< parts[0] is test
    kNot,
    kNegate,
    kAffirm,
    kAnd,
    kOr,
    kArithmetic,  ///< parts joined by operators, from left to right
    kConcat,
    kCompare,
    kChoice,  ///< parts[1] if parts[0] else parts[2], which may be null
};

enum class Operator {
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kFloorDivide,
    kModulo,
    kEqual,
    kNotEqual,
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual,
    kIn,
    kNotIn,
};

enum class TestKind {
    kDefined,
    kUndefined,
    kNone,
    kBoolean,
    kTrue,
    kFalse,
    kInteger,
    kFloat,
    kNumber,
    kString,
    kMapping,
    kSequence,
    kIterable,
};

struct Expression {
    ExpressionKind kind = ExpressionKind::kConstant;
    Position at;
    Value constant;
    std::string name;
    std::vector<std::unique_ptr<const Expression>> parts;
    std::vector<Operator> operators;
    const Filter* filter = nullptr;
    TestKind test = TestKind::kDefined;
    std::size_t depth = 1;
};

using ExpressionPtr = std::unique_ptr<const Expression>;

/// What `for` and `set` bind: one name, or several when the value is taken apart.
struct Targets {
    std::vector<std::string> names;
    bool is_tuple = false;
};

enum class StatementKind { kText, kPrint, kIf, kFor, kSet };

struct Statement;

struct Branch {
    ExpressionPtr condition;  ///< null: else
    std::vector<Statement> body;
};

struct Statement {
    StatementKind kind = StatementKind::kText;
    Position at;
    std::string text;
    ExpressionPtr value;   ///< what is printed, set, or walked through
    ExpressionPtr filter;  ///< `for x in value if filter`
    Targets targets;
    std::vector<Branch> branches;  ///< of an if; of a for its body, and its else if there is one
};

/// A compiled template.
struct ParsedTemplate {
    TemplateLimits limits;
    std::vector<Statement> statements;
    std::vector<std::string> variables;
};

}  // namespace quire::prompts
