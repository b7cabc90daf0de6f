// Any text as a template: it is refused or rendered, within its limits, and twice the same.
#include "services/prompts/template/template.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

namespace json = quire::json;

const json::object& variables() {
    static const json::object all =
        json::parse(R"({"name": "Ada", "n": 7, "f": 2.5, "xs": [3, 1, 2], "none": [], "nil": null,
                        "yes": true, "user": {"name": "Bo", "tags": ["a", "ß"], "deep": [[1]]}})")
            .as_object();
    return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view source(reinterpret_cast<const char*>(data), size);
    const quire::prompts::TemplateLimits limits{.steps_max = 10'000, .output_bytes_max = 64 * 1024};
    const auto made = quire::prompts::Template::compile(source, limits);
    if (!made) return 0;
    const auto rendered = made->render(variables());
    if (rendered && rendered->size() > limits.output_bytes_max) std::abort();
    const auto again = made->render(variables());
    if (rendered.has_value() != again.has_value()) std::abort();
    if (rendered && *rendered != *again) std::abort();
    return 0;
}
