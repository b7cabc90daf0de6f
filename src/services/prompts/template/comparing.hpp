#pragma once

#include "services/prompts/template/budget.hpp"
#include "services/prompts/template/value.hpp"

#include <compare>

namespace quire::prompts {

/// `==` of Python: 1, 1.0 and true are equal, values of other kinds are not. Undefined is an error.
Result<bool> are_equal(const Value& left, const Value& right, Budget& budget);
/// `<`, `==`, `>`; kTemplateError for what has no order, such as a text and a number.
Result<std::partial_ordering> order_of(const Value& left, const Value& right, Budget& budget);
/// `left in right`.
Result<bool> is_in(const Value& left, const Value& right, Budget& budget);

}  // namespace quire::prompts
