#pragma once

#include "base/result.hpp"
#include "runtime/json.hpp"
#include "services/prompts/template/template_limits.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quire::prompts {

struct ParsedTemplate;
class Renderer;

/// A prompt template in a subset of Jinja, compiled. A copy shares the tree; one template may be
/// rendered by several threads at once. What it can do: docs/guides/prompt-templates.md.
class Template {
public:
    /// kTemplateError with line and column. `limits` hold for compiling and for a rendering alone.
    static Result<Template> compile(std::string_view source, const TemplateLimits& limits = {});

    /// kMissingVariable with the param `/variables/NAME` when the text needs a value that is not
    /// there; kTemplateError with the line when a value does not fit or a limit is reached.
    Result<std::string> render(const json::object& variables) const;
    /// The same as a part of a rendering, within what is left of its limits.
    Result<std::string> render(Renderer& rendering) const;

    /// The top-level names that the template reads and does not bind itself; sorted, unique.
    const std::vector<std::string>& variables() const;

private:
    explicit Template(std::shared_ptr<const ParsedTemplate> parsed) : parsed_(std::move(parsed)) {}

    std::shared_ptr<const ParsedTemplate> parsed_;
};

}  // namespace quire::prompts
