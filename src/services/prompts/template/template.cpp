#include "services/prompts/template/template.hpp"

#include "services/prompts/template/parser.hpp"
#include "services/prompts/template/renderer.hpp"

namespace quire::prompts {

Result<Template> Template::compile(std::string_view source, const TemplateLimits& limits) {
    QUIRE_TRY(auto parsed, parse_template(source, limits));
    return Template(std::move(parsed));
}

Result<std::string> Template::render(const json::object& variables) const {
    Renderer rendering(parsed_->limits, variables);
    return render(rendering);
}

Result<std::string> Template::render(Renderer& rendering) const {
    return rendering.run(parsed_->statements);
}

const std::vector<std::string>& Template::variables() const { return parsed_->variables; }

}  // namespace quire::prompts
