#include "runtime/http/headers.hpp"

#include <algorithm>

namespace quire::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                              [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return "";
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

void Headers::add(std::string_view name, std::string_view value) {
    Field field{};
    field.name_at = static_cast<std::uint32_t>(storage_.size());
    field.name_size = static_cast<std::uint32_t>(name.size());
    storage_ += name;
    field.value_at = static_cast<std::uint32_t>(storage_.size());
    field.value_size = static_cast<std::uint32_t>(value.size());
    storage_ += value;
    fields_.push_back(field);
}

std::string_view Headers::find(std::string_view name) const {
    for (const Field& field : fields_) {
        if (equals_ignoring_case(name_of(field), name)) return value_of(field);
    }
    return "";
}

bool Headers::contains(std::string_view name) const { return count(name) > 0; }

std::size_t Headers::count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(
        fields_.begin(), fields_.end(),
        [&](const Field& field) { return equals_ignoring_case(name_of(field), name); }));
}

std::pair<std::string_view, std::string_view> Headers::at(std::size_t index) const {
    return {name_of(fields_[index]), value_of(fields_[index])};
}

}  // namespace quire::http
