#pragma once

#include "providers/model_catalog.hpp"
#include "providers/provider.hpp"

namespace quire::providers {

/// A model without a model: text by seed, with the delays of a real one. Counts its tokens exactly.
class SimProvider final : public Provider {
public:
    explicit SimProvider(const ProviderConfig& config) : config_(config) {}

    awaitable<Result<Completion>> generate(const rpc::CallContext& ctx,
                                           const ProviderRequest& request,
                                           DeltaSink& sink) override;

private:
    ProviderConfig config_;
};

}  // namespace quire::providers
