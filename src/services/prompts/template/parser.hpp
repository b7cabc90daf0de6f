#pragma once

#include "services/prompts/template/expression_parser.hpp"
#include "services/prompts/template/syntax_tree.hpp"

#include <memory>
#include <string_view>

namespace quire::prompts {

/// kTemplateError with line and column.
Result<std::shared_ptr<const ParsedTemplate>> parse_template(std::string_view source,
                                                             const TemplateLimits& limits);

}  // namespace quire::prompts
