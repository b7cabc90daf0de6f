#include "services/gateway/body_fields.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quire::gateway {

Error wrong_field(std::string param, std::string_view wanted) {
    param = excerpt(param);
    return Error(ErrorCode::kInvalidValue, fmt::format("{} must be {}", param, wanted))
        .with_param(std::move(param));
}

Result<void> check_fields(const json::object& body, std::initializer_list<std::string_view> known) {
    for (const auto& member : body) {
        const std::string_view key(member.key().data(), member.key().size());
        if (std::find(known.begin(), known.end(), key) != known.end()) continue;
        return Error(ErrorCode::kUnsupportedParameter,
                     fmt::format("unknown field '{}'; the fields are {}", excerpt(key),
                                 fmt::join(known, ", ")))
            .with_param(excerpt("/" + runtime::pointer_step(key)));
    }
    return {};
}

Result<std::string> read_text(const json::object& body, std::string_view name) {
    const json::value* value = runtime::find_member(body, name);
    if (value == nullptr) return std::string();
    if (!value->is_string()) return wrong_field(std::string(name), "a string");
    return std::string(value->get_string());
}

Result<std::string> require_text(const json::object& body, std::string_view name) {
    if (runtime::find_member(body, name) == nullptr) {
        return Error(ErrorCode::kMissingRequiredParameter, fmt::format("'{}' is required", name))
            .with_param(std::string(name));
    }
    return read_text(body, name);
}

Result<std::optional<std::int64_t>> read_count(const json::object& body, std::string_view name) {
    const json::value* value = runtime::find_member(body, name);
    if (value == nullptr) return std::optional<std::int64_t>();
    if (!value->is_int64() || value->get_int64() < 1) {
        return wrong_field(std::string(name), "a whole number of at least 1");
    }
    return std::optional(value->get_int64());
}

}  // namespace quire::gateway
