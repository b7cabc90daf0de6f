#pragma once

#include "base/clock.hpp"
#include "base/rng.hpp"
#include "providers/provider.hpp"
#include "quire/inference/v1/inference_port.hpp"
#include "services/inference/inference_config.hpp"
#include "services/inference/model_queue.hpp"

#include <map>
#include <memory>
#include <string>

namespace quire::inference {

/// A model of the configuration, ready to be called.
struct ServedModel {
    std::string name;
    providers::ModelConfig config;
    std::shared_ptr<providers::Provider> provider;
    std::unique_ptr<ModelQueue> queue;
};

/// The port's implementation. Safe from several loops: models are fixed, queues have their locks.
class InferenceService final : public Inference {
public:
    InferenceService(InferenceConfig config, std::vector<ServedModel> models, const Clock& clock,
                     Rng& rng);

    awaitable<Result<void>> generate(const rpc::CallContext& ctx,
                                     const v1::GenerateRequest& request,
                                     rpc::Sink<common::v1::ChatEvent>& sink) override;
    awaitable<Result<v1::ListModelsResponse>> list_models(
        const rpc::CallContext& ctx, const v1::ListModelsRequest& request) override;

private:
    const ServedModel* find(const std::string& name) const;

    InferenceConfig config_;
    std::vector<ServedModel> models_;
    const Clock& clock_;
    Rng& rng_;
    Timestamp started_;
};

}  // namespace quire::inference
