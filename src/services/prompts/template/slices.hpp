#pragma once

#include "services/prompts/template/budget.hpp"
#include "services/prompts/template/syntax_tree.hpp"
#include "services/prompts/template/value.hpp"

#include <functional>
#include <vector>

namespace quire::prompts {

/// `value is TEST`.
Result<bool> passes(TestKind test, const Value& value);
/// `text[index]`, counted in characters; what `otherwise` makes when there is none.
Result<Value> character_at(const std::string& text, std::int64_t index,
                           const std::function<Value()>& otherwise, Budget& budget);
/// `holder[begin:end]`; None for a bound that was left out.
Result<Value> slice_of(const Value& holder, const Value& begin, const Value& end, Budget& budget);
/// `range(bounds...)`.
Result<Value> range_of(const std::vector<Value>& bounds, Budget& budget);

}  // namespace quire::prompts
