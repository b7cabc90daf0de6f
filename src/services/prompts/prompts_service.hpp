#pragma once

#include "services/prompts/generation.hpp"

namespace quire::prompts {

/// The port's implementation. Safe from several loops: it holds nothing but ports.
class PromptsService final : public Prompts {
public:
    explicit PromptsService(GenerationPorts ports) : ports_(std::move(ports)) {}

    awaitable<Result<void>> chat(const rpc::CallContext& ctx, const v1::ChatCall& call,
                                 rpc::Sink<common::v1::ChatEvent>& sink) override;
    awaitable<Result<v1::ListModelsResponse>> list_models(
        const rpc::CallContext& ctx, const v1::ListModelsRequest& request) override;

private:
    GenerationPorts ports_;
};

}  // namespace quire::prompts
