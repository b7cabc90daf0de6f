#include "services/gateway/json_body.hpp"

#include <algorithm>
#include <cmath>

namespace quire::gateway {

namespace {

/// JSON has numbers that a double has not, and nothing may go on as `Infinity`.
bool has_infinity(const json::value& value) {
    if (value.is_double()) return std::isinf(value.get_double());
    if (value.is_array()) return std::ranges::any_of(value.get_array(), has_infinity);
    if (!value.is_object()) return false;
    return std::ranges::any_of(value.get_object(),
                               [](const auto& member) { return has_infinity(member.value()); });
}

}  // namespace

Result<void> JsonBody::parse(std::string_view text) {
    auto tree = std::make_unique<Tree>();
    QUIRE_TRY(tree->value, runtime::parse_json(text, &tree->resource));
    if (has_infinity(tree->value)) {
        return Error(ErrorCode::kInvalidJson,
                     "a number in the body is beyond those of double precision (1.8e308)");
    }
    if (!tree->value.is_object()) {
        return Error(ErrorCode::kInvalidJson, "the body must be a JSON object");
    }
    tree_ = std::move(tree);
    return {};
}

}  // namespace quire::gateway
