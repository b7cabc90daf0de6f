#pragma once

#include "services/prompts/generation.hpp"

namespace quire::prompts {

/// The port's implementation. Safe from several loops: what it shares locks itself.
class PromptsService final : public Prompts {
public:
    explicit PromptsService(GenerationDeps deps) : deps_(std::move(deps)) {}

    awaitable<Result<void>> chat(const rpc::CallContext& ctx, const v1::ChatCall& call,
                                 rpc::Sink<common::v1::ChatEvent>& sink) override;
    awaitable<Result<v1::ListModelsResponse>> list_models(
        const rpc::CallContext& ctx, const v1::ListModelsRequest& request) override;

    awaitable<Result<common::v1::OutboxPage>> read_outbox(
        const rpc::CallContext& ctx, const common::v1::ReadOutboxRequest& request) override;

    const GenerationDeps& deps() const { return deps_; }

private:
    GenerationDeps deps_;
};

}  // namespace quire::prompts
