#pragma once

#include "services/prompts/generation.hpp"
#include "services/prompts/prompt_store.hpp"
#include "services/prompts/running_requests.hpp"
#include "storage/database.hpp"

namespace quire::prompts {

/// The port's implementation. Safe from several loops: what it shares locks itself.
class PromptsService final : public Prompts {
public:
    PromptsService(GenerationDeps deps, storage::Database& database)
        : deps_(std::move(deps)), database_(database), retention_clock_(deps_.clock) {}

    awaitable<Result<void>> chat(const rpc::CallContext& ctx, const v1::ChatCall& call,
                                 rpc::Sink<common::v1::ChatEvent>& sink) override;
    awaitable<Result<void>> generate(const rpc::CallContext& ctx, const v1::GenerateCall& call,
                                     rpc::Sink<common::v1::ChatEvent>& sink) override;
    awaitable<Result<v1::PublishVersionResponse>> publish_version(
        const rpc::CallContext& ctx, const v1::PublishVersionRequest& request) override;
    awaitable<Result<v1::ListPromptsResponse>> list_prompts(
        const rpc::CallContext& ctx, const v1::ListPromptsRequest& request) override;
    awaitable<Result<v1::GetPromptResponse>> get_prompt(
        const rpc::CallContext& ctx, const v1::GetPromptRequest& request) override;
    awaitable<Result<v1::SetLabelResponse>> set_label(const rpc::CallContext& ctx,
                                                      const v1::SetLabelRequest& request) override;
    awaitable<Result<v1::ListModelsResponse>> list_models(
        const rpc::CallContext& ctx, const v1::ListModelsRequest& request) override;

    awaitable<Result<common::v1::OutboxPage>> read_outbox(
        const rpc::CallContext& ctx, const common::v1::ReadOutboxRequest& request) override;

    const GenerationDeps& deps() const { return deps_; }

private:
    /// kPromptNotFound for foreign, unknown and unlabelled ones alike.
    awaitable<Result<PromptVersion>> find(const rpc::CallContext& ctx,
                                          const v1::GetPromptRequest& which);
    awaitable<Result<void>> prepare(const rpc::CallContext& ctx, const v1::GenerateCall& call,
                                    v1::ChatCall& chat);
    /// The name of that model; "" is the first one, whichever that is. kModelNotFound.
    awaitable<Result<std::string>> find_model(const rpc::CallContext& ctx, const std::string& name);

    GenerationDeps deps_;
    storage::Database& database_;
    RetentionClock retention_clock_;
    RunningRequests running_;
};

}  // namespace quire::prompts
