#include "services/review/review_service.hpp"

#include "runtime/json.hpp"
#include "services/review/decisions.hpp"
#include "services/review/input_review.hpp"
#include "services/review/output_session.hpp"

namespace quire::review {
namespace {

/// Whether the answer is to carry the tokens' probabilities, which repeat its text.
bool asks_for_logprobs(const common::v1::ChatRequest& request) {
    if (request.extra_json().find("logprobs") == std::string::npos) return false;
    const auto extra = runtime::parse_json(request.extra_json());
    if (!extra || !extra->is_object()) return true;
    for (const std::string_view name : {"logprobs", "top_logprobs"}) {
        const json::value* value = runtime::find_member(extra->get_object(), name);
        const bool is_off = value == nullptr || (value->is_bool() && !value->get_bool()) ||
                            (value->is_int64() && value->get_int64() == 0);
        if (!is_off) return true;
    }
    return false;
}

}  // namespace

awaitable<Result<v1::ReviewInputResponse>> ReviewService::review_input(
    const rpc::CallContext& ctx, const v1::ReviewInputRequest& request) {
    const Policy& policy = policies_.of_project(ctx.principal.project_id);
    v1::ReviewInputResponse response;
    response.set_has_output_rules(!policy.output->is_empty());
    if (policy.output->can_change_text() && asks_for_logprobs(request.request())) {
        co_return Error(ErrorCode::kUnsupportedParameter,
                        "logprobs cannot be used here: they repeat text that review holds back")
            .with_param("logprobs");
    }
    if (policy.input->is_empty()) co_return response;
    std::optional<Error> failed;
    try {
        const auto reviewed = co_await review_request(*policy.input, request.request(), response);
        if (!reviewed) failed = reviewed.error();
    } catch (const std::exception& e) {
        failed = unreviewable(e.what());
    }
    if (failed) co_return *failed;
    co_return response;
}

awaitable<Result<std::unique_ptr<rpc::Session<v1::OutputPiece, v1::ReleasedOutput>>>>
ReviewService::review_output(const rpc::CallContext& ctx) {
    const Policy& policy = policies_.of_project(ctx.principal.project_id);
    std::unique_ptr<rpc::Session<v1::OutputPiece, v1::ReleasedOutput>> session =
        std::make_unique<OutputSession>(policy.output);
    co_return session;
}

}  // namespace quire::review
