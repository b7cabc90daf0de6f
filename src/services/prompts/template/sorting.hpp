#pragma once

#include "services/prompts/template/budget.hpp"
#include "services/prompts/template/value.hpp"

#include <string>
#include <vector>

namespace quire::prompts {

/// The member that `attribute` names, with dots for members of members (`address.city`). Undefined
/// when there is none.
Result<Value> member_of(const Value& value, const Value& attribute, Budget& budget);
/// Makes each text lower case, and leaves anything else as it is.
Result<void> fold_case(std::vector<Value>& values, Budget& budget);
/// The places of the keys in ascending order (or descending); equal ones keep theirs.
Result<std::vector<std::size_t>> sorted_order(const std::vector<Value>& keys, bool is_reversed,
                                              Budget& budget);
/// The same text for values that are equal, paid by its length; kTemplateError for lists and
/// objects, which Python cannot hash.
Result<std::string> identity_of(const Value& value, Budget& budget);

}  // namespace quire::prompts
