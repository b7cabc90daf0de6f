#pragma once

#include "services/prompts/template/syntax_tree.hpp"

#include <string>
#include <vector>

namespace quire::prompts {

/// The names that the statements take from the caller, sorted and unique; what
/// jinja2.meta.find_undeclared_variables gives. A name that only some branches of an `if` set
/// counts, since the others leave it to the caller.
std::vector<std::string> undeclared_names(const std::vector<Statement>& statements);

}  // namespace quire::prompts
