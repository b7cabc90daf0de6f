#pragma once

#include "services/prompts/template/budget.hpp"
#include "services/prompts/template/value.hpp"

#include <string>

namespace quire::prompts {

/// As Python's str() writes it: `None`, `True`, `1.0`, `['a', 1]`. An undefined value is its error.
Result<std::string> printed(const Value& value, Budget& budget);
/// As jinja2's `tojson` writes it: keys sorted, ASCII only, safe inside HTML.
Result<std::string> json_printed(const Value& value, Budget& budget);
/// The shortest digits that give the same number, as Python's repr().
std::string float_text(double number);

}  // namespace quire::prompts
