#include "services/prompts/template/filters.hpp"

#include "services/prompts/template/printing.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quire::prompts {
namespace {

const Value* given(const FilterArguments& arguments, std::size_t at) {
    return at < arguments.size() && arguments[at] ? &*arguments[at] : nullptr;
}

}  // namespace

std::size_t Filter::parameter_count() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(parameters, [](std::string_view row) { return !row.empty(); }));
}

const Filter* find_filter(std::string_view name) {
    for (const auto table : {text_filters(), number_filters(), sequence_filters()}) {
        for (const Filter& filter : table) {
            if (filter.name == name) return &filter;
        }
    }
    return nullptr;
}

std::vector<std::string> filter_names() {
    std::vector<std::string> names;
    for (const auto table : {text_filters(), number_filters(), sequence_filters()}) {
        for (const Filter& filter : table) names.emplace_back(filter.name);
    }
    std::ranges::sort(names);
    return names;
}

Result<bool> flag_argument(const FilterArguments& arguments, std::size_t at, bool fallback) {
    const Value* value = given(arguments, at);
    if (value == nullptr) return fallback;
    return is_true(*value);
}

Result<std::int64_t> integer_argument(const FilterArguments& arguments, std::size_t at,
                                      std::int64_t fallback) {
    const Value* value = given(arguments, at);
    if (value == nullptr) return fallback;
    if (const std::int64_t* number = as_integer(*value)) return *number;
    return template_error(fmt::format("an argument must be an integer, not {}", type_name(*value)));
}

Result<std::string> text_argument(const FilterArguments& arguments, std::size_t at,
                                  std::string fallback, Budget& budget) {
    const Value* value = given(arguments, at);
    if (value == nullptr) return fallback;
    return printed(*value, budget);
}

}  // namespace quire::prompts
