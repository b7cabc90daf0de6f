#include "storage/connection.hpp"

namespace quire::storage {

std::int64_t Row::integer(std::size_t column) const {
    const auto* value = std::get_if<std::int64_t>(&values_.at(column));
    return value == nullptr ? 0 : *value;
}

const std::string& Row::text(std::size_t column) const {
    static const std::string kEmpty;
    const auto* value = std::get_if<std::string>(&values_.at(column));
    return value == nullptr ? kEmpty : *value;
}

bool Row::is_null(std::size_t column) const {
    return std::holds_alternative<std::monostate>(values_.at(column));
}

}  // namespace quire::storage
