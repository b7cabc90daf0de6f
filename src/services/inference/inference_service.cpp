#include "services/inference/inference_service.hpp"

#include "services/inference/generation.hpp"

namespace quire::inference {

InferenceService::InferenceService(InferenceConfig config, std::vector<ServedModel> models,
                                   const Clock& clock, Rng& rng)
    : config_(std::move(config)),
      models_(std::move(models)),
      clock_(clock),
      rng_(rng),
      started_(clock.now()) {}

awaitable<Result<void>> InferenceService::generate(const rpc::CallContext& ctx,
                                                   const v1::GenerateRequest& request,
                                                   rpc::Sink<common::v1::ChatEvent>& sink) {
    const ServedModel* model = find(request.request().model());
    if (model == nullptr) {
        co_return providers::unknown_model(request.request().model());
    }
    const SteadyTime began = clock_.steady();
    auto place = co_await model->queue->enter(config_.queue_wait);
    Generation generation(*model, config_, clock_, rng_, sink);
    generation.note_queued(began);
    if (!place) {
        co_await generation.tell_unanswered();
        co_return place.error();
    }
    auto ended = co_await generation.run(ctx, request.request());
    co_return ended;
}

awaitable<Result<v1::ListModelsResponse>> InferenceService::list_models(
    const rpc::CallContext& /*ctx*/, const v1::ListModelsRequest& /*request*/) {
    v1::ListModelsResponse response;
    for (const ServedModel& model : models_) {
        auto& out = *response.add_models();
        out.set_name(model.name);
        out.set_provider(model.config.provider);
        out.set_context_tokens(model.config.context_tokens);
        out.set_max_output_tokens(model.config.max_output_tokens);
        out.set_created_at_us(started_.micros);
    }
    co_return response;
}

const ServedModel* InferenceService::find(const std::string& name) const {
    for (const ServedModel& model : models_) {
        if (model.name == name) return &model;
    }
    return nullptr;
}

}  // namespace quire::inference
