#include "services/gateway/json_body.hpp"

namespace quire::gateway {

Result<void> JsonBody::parse(std::string_view text) {
    auto tree = std::make_unique<Tree>();
    QUIRE_TRY(tree->value, runtime::parse_json(text, &tree->resource));
    if (!tree->value.is_object()) {
        return Error(ErrorCode::kInvalidJson, "the body must be a JSON object");
    }
    tree_ = std::move(tree);
    return {};
}

}  // namespace quire::gateway
