#pragma once

#include "services/prompts/template/budget.hpp"
#include "services/prompts/template/syntax_tree.hpp"
#include "services/prompts/template/value.hpp"

namespace quire::prompts {

/// `left operation right` for the operators from + to %, as Python computes it, with integers of 64
/// bits: what does not fit is kTemplateError.
Result<Value> calculate(Operator operation, const Value& left, const Value& right, Budget& budget);
/// `-value` and `+value`.
Result<Value> with_sign(const Value& value, bool is_negated);

}  // namespace quire::prompts
