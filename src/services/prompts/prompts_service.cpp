#include "services/prompts/prompts_service.hpp"

namespace quire::prompts {

awaitable<Result<void>> PromptsService::chat(const rpc::CallContext& ctx, const v1::ChatCall& call,
                                             rpc::Sink<common::v1::ChatEvent>& sink) {
    auto done = co_await run_generation(deps_, ctx, call, sink);
    co_return done;
}

awaitable<Result<v1::ListModelsResponse>> PromptsService::list_models(
    const rpc::CallContext& ctx, const v1::ListModelsRequest& /*request*/) {
    const inference::v1::ListModelsRequest all;
    QUIRE_CO_TRY(const auto models, deps_.inference->list_models(ctx, all));
    v1::ListModelsResponse response;
    for (const auto& model : models.models()) {
        auto& out = *response.add_models();
        out.set_name(model.name());
        out.set_provider(model.provider());
        out.set_created_at_us(model.created_at_us());
    }
    co_return response;
}

awaitable<Result<common::v1::OutboxPage>> PromptsService::read_outbox(
    const rpc::CallContext& /*ctx*/, const common::v1::ReadOutboxRequest& request) {
    auto page = co_await deps_.journal.read_outbox(request);
    co_return page;
}

}  // namespace quire::prompts
