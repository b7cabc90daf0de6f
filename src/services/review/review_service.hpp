#pragma once

#include "quire/review/v1/review_port.hpp"
#include "services/review/policies.hpp"

namespace quire::review {

/// The port's implementation. Safe from several loops: policies never change.
class ReviewService final : public Review {
public:
    explicit ReviewService(Policies policies) : policies_(std::move(policies)) {}

    awaitable<Result<v1::ReviewInputResponse>> review_input(
        const rpc::CallContext& ctx, const v1::ReviewInputRequest& request) override;
    awaitable<Result<std::unique_ptr<rpc::Session<v1::OutputPiece, v1::ReleasedOutput>>>>
    review_output(const rpc::CallContext& ctx) override;

private:
    Policies policies_;
};

}  // namespace quire::review
