// Renders what comes in, one JSON object a line: {"template", "variables"}. Answers each with
// {"output", "names"} or {"code", "error"}, where `names` are the variables that it reads. For the
// comparison with jinja2 in test_against_jinja2.py.
#include "services/prompts/template/template.hpp"

#include <iostream>
#include <string>

namespace {

namespace json = quire::json;
using quire::prompts::Template;

json::object failure(const quire::Error& error) {
    json::object answer;
    answer["code"] = std::string(error.name());
    answer["error"] = error.message();
    answer["param"] = std::string(error.detail("param"));
    return answer;
}

json::object answer(const json::object& request) {
    const auto compiled = Template::compile(request.at("template").as_string());
    if (!compiled) return failure(compiled.error());
    json::array names;
    for (const std::string& name : compiled->variables()) names.emplace_back(name);
    const auto rendered = compiled->render(request.at("variables").as_object());
    json::object answer;
    if (rendered) {
        answer["output"] = *rendered;
    } else {
        answer = failure(rendered.error());
    }
    answer["names"] = std::move(names);
    return answer;
}

}  // namespace

int main() {
    std::string line;
    while (std::getline(std::cin, line)) {
        std::cout << json::serialize(answer(json::parse(line).as_object())) << '\n' << std::flush;
    }
    return 0;
}
