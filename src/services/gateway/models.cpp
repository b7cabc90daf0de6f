#include "providers/model_catalog.hpp"
#include "services/gateway/gateway_api.hpp"

namespace quire::gateway {
namespace {

json::object model_json(const prompts::v1::Model& model) {
    json::object out;
    out["id"] = model.name();
    out["object"] = "model";
    out["created"] = model.created_at_us() / 1'000'000;
    out["owned_by"] = model.provider();
    return out;
}

}  // namespace

awaitable<Result<void>> GatewayApi::list_models(GatewayCall& call) {
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    const prompts::v1::ListModelsRequest all;
    QUIRE_CO_TRY(const auto models, ports_.prompts->list_models(call.ctx, all));
    json::array data;
    for (const auto& model : models.models()) data.push_back(model_json(model));
    json::object body;
    body["object"] = "list";
    body["data"] = std::move(data);
    std::string text = json::serialize(body);
    co_return co_await call.respond_json(200, std::move(text));
}

awaitable<Result<void>> GatewayApi::get_model(GatewayCall& call) {
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    const std::string name = call.path_parameter(0);
    const prompts::v1::ListModelsRequest all;
    QUIRE_CO_TRY(const auto models, ports_.prompts->list_models(call.ctx, all));
    for (const auto& model : models.models()) {
        if (model.name() == name) {
            std::string text = json::serialize(model_json(model));
            co_return co_await call.respond_json(200, std::move(text));
        }
    }
    co_return providers::unknown_model(name);
}

}  // namespace quire::gateway
