#pragma once

#include "services/prompts/template/budget.hpp"
#include "services/prompts/template/syntax_tree.hpp"
#include "services/prompts/template/value.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace quire::prompts {

/// The names of one rendering: the caller's variables, and over them the scopes of a template and
/// of its loops.
class Names {
public:
    explicit Names(const json::object& variables) : variables_(variables) {}

    void open() { scopes_.emplace_back(); }
    void close() { scopes_.pop_back(); }
    void bind(const std::string& name, Value value) { scopes_.back()[name] = std::move(value); }
    bool is_bound(const std::string& name) const;
    /// Undefined when there is none; kTemplateError when the variable has no form here.
    Result<Value> find(const std::string& name, Budget& budget);

private:
    const json::object& variables_;
    std::map<std::string, Value> given_;  ///< each variable is converted once
    std::vector<std::map<std::string, Value>> scopes_;
};

/// Computes expressions. Errors begin with the line and the column of what failed.
class Evaluator {
public:
    Evaluator(Names& names, Budget& budget) : names_(names), budget_(budget) {}

    Result<Value> evaluate(const Expression& expression);
    Result<bool> is_true_of(const Expression& expression);

private:
    Result<Value> evaluate_here(const Expression& expression);
    Result<std::vector<Value>> evaluate_all(const std::vector<ExpressionPtr>& parts);
    Result<Value> evaluate_attribute(const Expression& expression);
    Result<Value> evaluate_item(const Expression& expression);
    Result<Value> evaluate_slice(const Expression& expression);
    Result<Value> evaluate_items(const Expression& expression);
    Result<Value> evaluate_range(const Expression& expression);
    Result<Value> evaluate_filter(const Expression& expression);
    Result<Value> evaluate_logic(const Expression& expression);
    Result<Value> evaluate_arithmetic(const Expression& expression);
    Result<Value> evaluate_concat(const Expression& expression);
    Result<Value> evaluate_compare(const Expression& expression);
    Result<Value> evaluate_choice(const Expression& expression);
    Result<bool> compare(Operator operation, const Value& left, const Value& right);
    Value missing(const Expression& base, const Value& holder, const Value& key);
    std::string pointer_of(const Expression& expression) const;

    Names& names_;
    Budget& budget_;
    bool has_place_ = false;  ///< the error on its way up says already where it happened
};

}  // namespace quire::prompts
