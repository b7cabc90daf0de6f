#include "services/prompts/template/evaluator.hpp"

#include "base/text.hpp"
#include "services/prompts/template/arithmetic.hpp"
#include "services/prompts/template/comparing.hpp"
#include "services/prompts/template/lexer.hpp"
#include "services/prompts/template/printing.hpp"
#include "services/prompts/template/slices.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quire::prompts {
namespace {

using Kind = ExpressionKind;

constexpr std::size_t kValuesPerStep = 16;  // of a variable, when it is converted

Error placed(const Error& error, Position at) {
    return Error(error).in(fmt::format("line {}, column {}", at.line, at.column));
}

/// How the template wrote it, as far as it is made of names.
std::string written(const Expression& expression) {
    if (expression.kind == Kind::kName) return expression.name;
    if (expression.kind == Kind::kAttribute) {
        return fmt::format("{}.{}", written(*expression.parts[0]), expression.name);
    }
    if (expression.kind == Kind::kItem) {
        const Value& key = expression.parts[1]->constant;
        const std::string base = written(*expression.parts[0]);
        if (const std::string* text = as_text(key)) return fmt::format("{}['{}']", base, *text);
        if (const std::int64_t* index = as_integer(key)) return fmt::format("{}[{}]", base, *index);
        return base + "[...]";
    }
    return "(...)";
}

/// How many values a variable consists of, lists and objects counted themselves.
std::size_t count_values(const json::value& variable) {
    std::size_t count = 1;
    if (const json::array* items = variable.if_array()) {
        for (const json::value& item : *items) count += count_values(item);
    } else if (const json::object* members = variable.if_object()) {
        for (const auto& member : *members) count += count_values(member.value());
    }
    return count;
}

/// The index counted from the front; npos when it is outside.
std::size_t place_of(std::int64_t index, std::size_t size) {
    const auto count = static_cast<std::int64_t>(size);
    if (index < -count || index >= count) return std::string::npos;
    return static_cast<std::size_t>(index < 0 ? index + count : index);
}

}  // namespace

bool Names::is_bound(const std::string& name) const {
    return std::ranges::any_of(scopes_, [&](const auto& scope) { return scope.contains(name); });
}

Result<Value> Names::find(const std::string& name, Budget& budget) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
        if (const auto bound = scope->find(name); bound != scope->end()) return bound->second;
    }
    if (const auto known = given_.find(name); known != given_.end()) return known->second;
    const json::value* variable = variables_.if_contains(name);
    if (variable == nullptr) {
        return undefined_value({.path = "/variables/" + name,
                                .why = fmt::format("the variable '{}' was not given", name)});
    }
    QUIRE_TRY([[maybe_unused]] const auto paid,
              budget.spend(count_values(*variable) / kValuesPerStep));
    auto converted = value_of(*variable);
    if (!converted) {
        return Error(converted.error()).in(excerpt(name)).with_param(excerpt("/variables/" + name));
    }
    given_[name] = *converted;
    return converted;
}

Result<Value> Evaluator::evaluate(const Expression& expression) {
    const auto paid = budget_.spend_item(expression.name.size());
    Result<Value> value = paid ? evaluate_here(expression) : paid.error();
    if (value || has_place_) return value;
    has_place_ = true;
    return placed(value.error(), expression.at);
}

Result<bool> Evaluator::is_true_of(const Expression& expression) {
    QUIRE_TRY(const Value value, evaluate(expression));
    const auto truth = is_true(value);
    if (!truth) return placed(truth.error(), expression.at);
    return truth;
}

Result<Value> Evaluator::evaluate_here(const Expression& expression) {
    switch (expression.kind) {
        case Kind::kConstant:
            return expression.constant;
        case Kind::kName:
            return names_.find(expression.name, budget_);
        case Kind::kList:
        case Kind::kTuple: {
            QUIRE_TRY(std::vector<Value> items, evaluate_all(expression.parts));
            return sequence_value(
                expression.kind == Kind::kList ? SequenceKind::kList : SequenceKind::kTuple,
                std::move(items));
        }
        case Kind::kAttribute:
            return evaluate_attribute(expression);
        case Kind::kItem:
            return evaluate_item(expression);
        case Kind::kSlice:
            return evaluate_slice(expression);
        case Kind::kItems:
            return evaluate_items(expression);
        case Kind::kRange:
            return evaluate_range(expression);
        case Kind::kFilter:
            return evaluate_filter(expression);
        case Kind::kTest: {
            QUIRE_TRY(const Value value, evaluate(*expression.parts[0]));
            QUIRE_TRY(const bool answer, passes(expression.test, value));
            return Value(answer);
        }
        case Kind::kNegate:
        case Kind::kAffirm: {
            QUIRE_TRY(const Value value, evaluate(*expression.parts[0]));
            return with_sign(value, expression.kind == Kind::kNegate);
        }
        case Kind::kNot:
        case Kind::kAnd:
        case Kind::kOr:
            return evaluate_logic(expression);
        case Kind::kArithmetic:
            return evaluate_arithmetic(expression);
        case Kind::kConcat:
            return evaluate_concat(expression);
        case Kind::kCompare:
            return evaluate_compare(expression);
        case Kind::kChoice:
            return evaluate_choice(expression);
    }
    return Value(None{});
}

Result<std::vector<Value>> Evaluator::evaluate_all(const std::vector<ExpressionPtr>& parts) {
    std::vector<Value> values;
    values.reserve(parts.size());
    for (const ExpressionPtr& part : parts) {
        QUIRE_TRY(Value value, evaluate(*part));
        values.push_back(std::move(value));
    }
    return values;
}

std::string Evaluator::pointer_of(const Expression& expression) const {
    if (expression.kind == Kind::kName) {
        return names_.is_bound(expression.name) ? "" : "/variables/" + expression.name;
    }
    if (expression.kind != Kind::kAttribute && expression.kind != Kind::kItem) return "";
    const std::string base = pointer_of(*expression.parts[0]);
    if (base.empty()) return "";
    if (expression.kind == Kind::kAttribute)
        return base + "/" + runtime::pointer_step(expression.name);
    const Value& key = expression.parts[1]->constant;
    if (const std::string* text = as_text(key)) return base + "/" + runtime::pointer_step(*text);
    const std::int64_t* index = as_integer(key);
    return index == nullptr ? "" : fmt::format("{}/{}", base, *index);
}

Value Evaluator::missing(const Expression& base, const Value& holder, const Value& key) {
    std::string path = pointer_of(base);
    std::string name = "...";
    if (const std::string* text = as_text(key)) name = *text;
    if (const std::int64_t* index = as_integer(key)) name = std::to_string(*index);
    if (!path.empty()) path += "/" + runtime::pointer_step(name);
    return undefined_value(
        {.path = std::move(path),
         .why = fmt::format("'{}' is {} and has no '{}'", written(base), type_name(holder), name)});
}

Result<Value> Evaluator::evaluate_attribute(const Expression& expression) {
    const Expression& base = *expression.parts[0];
    QUIRE_TRY(const Value holder, evaluate(base));
    QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(holder));
    if (const Dict* dict = as_dict(holder)) {
        if (const Value* member = dict->find(expression.name)) return *member;
    }
    return missing(base, holder, text_value(expression.name));
}

Result<Value> Evaluator::evaluate_item(const Expression& expression) {
    const Expression& base = *expression.parts[0];
    QUIRE_TRY(const Value holder, evaluate(base));
    QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(holder));
    QUIRE_TRY(const Value key, evaluate(*expression.parts[1]));
    QUIRE_TRY([[maybe_unused]] const auto given, need_defined(key));
    const std::int64_t* index = as_integer(key);
    const std::string* name = as_text(key);
    if (name != nullptr) {
        QUIRE_TRY([[maybe_unused]] const auto paid, budget_.spend_bytes(name->size()));
    }
    if (const Dict* dict = as_dict(holder)) {
        const Value* member = name == nullptr ? nullptr : dict->find(*name);
        if (member != nullptr) return *member;
    } else if (const Sequence* sequence = as_sequence(holder)) {
        const bool has_places = sequence->kind != SequenceKind::kItems &&
                                sequence->kind != SequenceKind::kIterator && index != nullptr;
        const std::size_t at =
            has_places ? place_of(*index, sequence->items.size()) : std::string::npos;
        if (at != std::string::npos) return sequence->items[at];
    } else if (const std::string* text = as_text(holder); text != nullptr && index != nullptr) {
        return character_at(
            *text, *index, [&] { return missing(base, holder, key); }, budget_);
    }
    return missing(base, holder, key);
}

Result<Value> Evaluator::evaluate_slice(const Expression& expression) {
    QUIRE_TRY(const Value holder, evaluate(*expression.parts[0]));
    Value begin;
    Value end;
    if (expression.parts[1]) {
        QUIRE_TRY(begin, evaluate(*expression.parts[1]));
    }
    if (expression.parts[2]) {
        QUIRE_TRY(end, evaluate(*expression.parts[2]));
    }
    return slice_of(holder, begin, end, budget_);
}

Result<Value> Evaluator::evaluate_items(const Expression& expression) {
    QUIRE_TRY(const Value holder, evaluate(*expression.parts[0]));
    QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(holder));
    const Dict* dict = as_dict(holder);
    if (dict == nullptr) {
        return template_error(fmt::format("only an object has items(), not {}", type_name(holder)));
    }
    QUIRE_TRY([[maybe_unused]] const auto paid, budget_.spend(dict->members.size()));
    std::vector<Value> pairs;
    for (const auto& [key, member] : dict->members) {
        QUIRE_TRY([[maybe_unused]] const auto read, budget_.spend_bytes(key.size()));
        QUIRE_TRY(Value pair,
                  sequence_value(SequenceKind::kTuple, {text_value(std::string(key)), member}));
        pairs.push_back(std::move(pair));
    }
    return sequence_value(SequenceKind::kItems, std::move(pairs));
}

Result<Value> Evaluator::evaluate_range(const Expression& expression) {
    QUIRE_TRY(const std::vector<Value> bounds, evaluate_all(expression.parts));
    return range_of(bounds, budget_);
}

Result<Value> Evaluator::evaluate_filter(const Expression& expression) {
    const Filter& filter = *expression.filter;
    QUIRE_TRY(const Value input, evaluate(*expression.parts[0]));
    FilterArguments arguments;
    for (std::size_t i = 1; i < expression.parts.size(); ++i) {
        arguments.emplace_back();
        if (!expression.parts[i]) continue;
        QUIRE_TRY(Value argument, evaluate(*expression.parts[i]));
        if (!filter.takes_undefined) {
            QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(argument));
        }
        arguments.back() = std::move(argument);
    }
    if (!filter.takes_undefined) {
        QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(input));
    }
    if (const std::string* text = as_text(input)) {
        QUIRE_TRY([[maybe_unused]] const auto paid, budget_.spend_bytes(text->size()));
    }
    auto result = filter.function(input, arguments, budget_);
    if (!result) return Error(result.error()).in(filter.name);
    return result;
}

/// As in Python the last operand that was looked at is the value.
Result<Value> Evaluator::evaluate_logic(const Expression& expression) {
    Value value;
    for (const ExpressionPtr& part : expression.parts) {
        QUIRE_TRY(value, evaluate(*part));
        if (part == expression.parts.back() && expression.kind != Kind::kNot) break;
        QUIRE_TRY(const bool truth, is_true(value));
        if (expression.kind == Kind::kNot) return Value(!truth);
        if (truth == (expression.kind == Kind::kOr)) break;
    }
    return value;
}

Result<Value> Evaluator::evaluate_arithmetic(const Expression& expression) {
    QUIRE_TRY(Value value, evaluate(*expression.parts[0]));
    for (std::size_t i = 0; i < expression.operators.size(); ++i) {
        QUIRE_TRY(const Value right, evaluate(*expression.parts[i + 1]));
        QUIRE_TRY(value, calculate(expression.operators[i], value, right, budget_));
    }
    return value;
}

Result<Value> Evaluator::evaluate_concat(const Expression& expression) {
    std::string out;
    for (const ExpressionPtr& part : expression.parts) {
        QUIRE_TRY(const Value value, evaluate(*part));
        QUIRE_TRY(const std::string text, printed(value, budget_));
        QUIRE_TRY([[maybe_unused]] const auto paid, budget_.admit_text(out.size() + text.size()));
        out += text;
    }
    return text_value(std::move(out));
}

Result<bool> Evaluator::compare(Operator operation, const Value& left, const Value& right) {
    if (operation == Operator::kEqual) return are_equal(left, right, budget_);
    if (operation == Operator::kIn) return is_in(left, right, budget_);
    if (operation == Operator::kNotEqual || operation == Operator::kNotIn) {
        QUIRE_TRY(const bool same, operation == Operator::kNotIn ? is_in(left, right, budget_)
                                                                 : are_equal(left, right, budget_));
        return !same;
    }
    QUIRE_TRY(const std::partial_ordering order, order_of(left, right, budget_));
    if (operation == Operator::kLess) return order < 0;
    if (operation == Operator::kLessOrEqual) return order <= 0;
    if (operation == Operator::kGreater) return order > 0;
    return order >= 0;
}

Result<Value> Evaluator::evaluate_compare(const Expression& expression) {
    QUIRE_TRY(Value left, evaluate(*expression.parts[0]));
    for (std::size_t i = 0; i < expression.operators.size(); ++i) {
        QUIRE_TRY(Value right, evaluate(*expression.parts[i + 1]));
        QUIRE_TRY(const bool holds, compare(expression.operators[i], left, right));
        if (!holds) return Value(false);
        left = std::move(right);
    }
    return Value(true);
}

Result<Value> Evaluator::evaluate_choice(const Expression& expression) {
    QUIRE_TRY(const Value condition, evaluate(*expression.parts[0]));
    QUIRE_TRY(const bool truth, is_true(condition));
    if (truth) return evaluate(*expression.parts[1]);
    if (expression.parts[2]) return evaluate(*expression.parts[2]);
    return undefined_value({.path = "",
                            .why = "an 'if' without 'else' has no value when it is false; add one",
                            .is_missing = false,
                            .is_soft = true});
}

}  // namespace quire::prompts
