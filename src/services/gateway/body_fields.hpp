#pragma once

#include "runtime/json.hpp"

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace quire::gateway {

/// Fields of a body under /api/v1: absent and null are the same. Errors name the field.
///
/// kUnsupportedParameter for a field that is none of `known`.
Result<void> check_fields(const json::object& body, std::initializer_list<std::string_view> known);
/// "" when it is absent. kInvalidValue for what is no string.
Result<std::string> read_text(const json::object& body, std::string_view name);
/// As `read_text`; kMissingRequiredParameter when it is absent.
Result<std::string> require_text(const json::object& body, std::string_view name);
/// nullopt when it is absent. kInvalidValue for what is no whole number of at least 1.
Result<std::optional<std::int64_t>> read_count(const json::object& body, std::string_view name);
/// `param`, of which a client may have chosen a part, must be `wanted`.
Error wrong_field(std::string param, std::string_view wanted);

}  // namespace quire::gateway
