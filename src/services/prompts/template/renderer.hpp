#pragma once

#include "services/prompts/template/evaluator.hpp"
#include "services/prompts/template/syntax_tree.hpp"

#include <string>
#include <vector>

namespace quire::prompts {

/// One rendering, of one template or of several one after the other: they share what it may do,
/// and each variable is converted once. It ends with the first error.
class Renderer {
public:
    Renderer(const TemplateLimits& limits, const json::object& variables)
        : budget_(limits), names_(variables), evaluator_(names_, budget_) {}

    /// The template's text; what it has set is forgotten.
    Result<std::string> run(const std::vector<Statement>& statements);

private:
    Result<void> render(const std::vector<Statement>& statements);
    Result<void> render_one(const Statement& statement);
    Result<void> render_if(const Statement& statement);
    Result<void> render_for(const Statement& statement);
    Result<std::vector<Value>> walked(const Statement& statement);
    Result<void> bind(const Statement& statement, const Value& value);
    Result<void> write(std::string_view text);

    Budget budget_;
    Names names_;
    Evaluator evaluator_;
    std::string out_;
};

}  // namespace quire::prompts
