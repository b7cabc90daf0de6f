#include "base/error.hpp"

#include "base/assert.hpp"

#include <array>

namespace quire {
namespace {

using enum ErrorCode;
using G = GrpcStatus;

constexpr std::string_view kInvalidRequest = "invalid_request_error";
constexpr std::string_view kServer = "server_error";

constexpr std::array kCatalogue{
    ErrorRow{kInvalidJson, "invalid_json", 400, G::kInvalidArgument, kInvalidRequest, false,
             "The body is not JSON, not UTF-8, or nested deeper than 64 levels."},
    ErrorRow{kInvalidValue, "invalid_value", 400, G::kInvalidArgument, kInvalidRequest, false,
             "A known field has the wrong type or is out of its range."},
    ErrorRow{kMissingRequiredParameter, "missing_required_parameter", 400, G::kInvalidArgument,
             kInvalidRequest, false, "A required field is absent."},
    ErrorRow{kUnsupportedValue, "unsupported_value", 400, G::kInvalidArgument, kInvalidRequest,
             false, "The value is valid in OpenAI's API and not offered here."},
    ErrorRow{kUnsupportedParameter, "unsupported_parameter", 400, G::kInvalidArgument,
             kInvalidRequest, false, "The field cannot be used in this request."},
    ErrorRow{kContextLengthExceeded, "context_length_exceeded", 400, G::kInvalidArgument,
             kInvalidRequest, false, "The prompt is longer than the model's context."},
    ErrorRow{kMissingVariable, "missing_variable", 400, G::kInvalidArgument, kInvalidRequest, false,
             "A prompt template needs a variable that was not given."},
    ErrorRow{kTemplateError, "template_error", 400, G::kInvalidArgument, kInvalidRequest, false,
             "A prompt template cannot be parsed or rendered."},
    ErrorRow{kContentPolicyViolation, "content_policy_violation", 400, G::kFailedPrecondition,
             kInvalidRequest, false, "Review blocked the input; nothing was sent upstream."},
    ErrorRow{kInvalidApiKey, "invalid_api_key", 401, G::kUnauthenticated, "authentication_error",
             false, "No API key was given, or it is not one of ours."},
    ErrorRow{kApiKeyExpired, "api_key_expired", 401, G::kUnauthenticated, "authentication_error",
             false, "The API key's time is over."},
    ErrorRow{kApiKeyRevoked, "api_key_revoked", 401, G::kUnauthenticated, "authentication_error",
             false, "The API key was revoked."},
    ErrorRow{kInsufficientQuota, "insufficient_quota", 402, G::kFailedPrecondition,
             "insufficient_quota", false, "The organization's credits do not cover the request."},
    ErrorRow{kPermissionDenied, "permission_denied", 403, G::kPermissionDenied, "permission_error",
             false, "The key lacks the scope that this call needs."},
    ErrorRow{kModelNotAllowed, "model_not_allowed", 403, G::kPermissionDenied, "permission_error",
             false, "The key may not use this model."},
    ErrorRow{kNotFound, "not_found", 404, G::kNotFound, kInvalidRequest, false,
             "There is no such path or object, or it belongs to somebody else."},
    ErrorRow{kModelNotFound, "model_not_found", 404, G::kNotFound, kInvalidRequest, false,
             "There is no model of this name."},
    ErrorRow{kPromptNotFound, "prompt_not_found", 404, G::kNotFound, kInvalidRequest, false,
             "There is no prompt of this name, version or label."},
    ErrorRow{kMethodNotAllowed, "method_not_allowed", 405, G::kInvalidArgument, kInvalidRequest,
             false, "The path exists, but not for this HTTP method."},
    ErrorRow{kRequestTooLarge, "request_too_large", 413, G::kInvalidArgument, kInvalidRequest,
             false, "The body or a message is larger than its limit."},
    ErrorRow{kUnsupportedMediaType, "unsupported_media_type", 415, G::kInvalidArgument,
             kInvalidRequest, false, "The body must be application/json, without encoding."},
    ErrorRow{kIdempotencyInProgress, "idempotency_in_progress", 409, G::kAborted, "conflict_error",
             true, "Its first request still runs, or the answer of that waits to be stored."},
    ErrorRow{kIdempotencyKeyReused, "idempotency_key_reused", 422, G::kFailedPrecondition,
             kInvalidRequest, false, "This Idempotency-Key was used with another request."},
    ErrorRow{kAlreadyExists, "already_exists", 422, G::kFailedPrecondition, kInvalidRequest, false,
             "An object of this name, or a running request of this id, exists."},
    ErrorRow{kAlreadyCompleted, "already_completed", 422, G::kFailedPrecondition, kInvalidRequest,
             false, "The request with this Idempotency-Key ended without an answer to replay."},
    ErrorRow{kRateLimitExceeded, "rate_limit_exceeded", 429, G::kResourceExhausted,
             "rate_limit_error", true, "A rate limit of the key or organization is used up."},
    ErrorRow{kQueueFull, "queue_full", 429, G::kResourceExhausted, "rate_limit_error", true,
             "The model's queue is full and draining."},
    ErrorRow{kInternalError, "internal_error", 500, G::kInternal, kServer, true,
             "A fault of ours; it is logged under the request id."},
    ErrorRow{kUpstreamError, "upstream_error", 502, G::kUnavailable, kServer, true,
             "The model's provider failed or answered nonsense."},
    ErrorRow{kUpstreamAuthFailed, "upstream_auth_failed", 502, G::kUnavailable, kServer, false,
             "The provider refused the operator's credentials."},
    ErrorRow{kOverloaded, "overloaded", 503, G::kUnavailable, kServer, true,
             "Nothing can serve the request right now."},
    ErrorRow{kShuttingDown, "shutting_down", 503, G::kUnavailable, kServer, true,
             "The process is draining; another replica will serve a retry."},
    ErrorRow{kReviewUnavailable, "review_unavailable", 503, G::kUnavailable, kServer, true,
             "Review cannot be reached, and nothing passes unreviewed."},
    ErrorRow{kCreditsUnavailable, "credits_unavailable", 503, G::kUnavailable, kServer, true,
             "The ledger cannot be reached, and nothing runs without a hold."},
    ErrorRow{kStorageUnavailable, "storage_unavailable", 503, G::kUnavailable, kServer, true,
             "A store cannot be opened or written."},
    ErrorRow{kQueueTimeout, "queue_timeout", 504, G::kDeadlineExceeded, kServer, true,
             "The request waited for the model longer than limits.queue_wait."},
    ErrorRow{kUpstreamTimeout, "upstream_timeout", 504, G::kDeadlineExceeded, kServer, true,
             "The provider did not answer in time."},
    ErrorRow{kDeadlineExceeded, "deadline_exceeded", 504, G::kDeadlineExceeded, kServer, true,
             "The request's own deadline passed."},
    ErrorRow{kCancelled, "client_closed_request", 0, G::kCancelled, "", false,
             "The client left; only logs and metrics show it."},
    ErrorRow{kStreamInterrupted, "stream_interrupted", 0, G::kUnavailable, kServer, true,
             "The provider failed after the first content; sent as an error event."},
    ErrorRow{kSettleFailed, "settle_failed", 0, G::kUnavailable, kServer, false,
             "The final cost could not be stored; sent as an error event."},
};

constexpr bool is_in_order() {
    for (std::size_t i = 0; i < kCatalogue.size(); ++i) {
        if (static_cast<std::size_t>(kCatalogue[i].code) != i) return false;
    }
    return kCatalogue.size() == static_cast<std::size_t>(kSettleFailed) + 1;
}
static_assert(is_in_order(), "the catalogue has one row per ErrorCode, in its order");

}  // namespace

std::span<const ErrorRow> error_catalogue() { return kCatalogue; }

const ErrorRow& row_of(ErrorCode code) {
    const auto index = static_cast<std::size_t>(code);
    QUIRE_ASSERT(index < kCatalogue.size(), "an ErrorCode outside the enum");
    return kCatalogue[index];
}

std::optional<ErrorCode> error_code_named(std::string_view name) {
    for (const ErrorRow& row : kCatalogue) {
        if (row.name == name) return row.code;
    }
    return std::nullopt;
}

std::string_view Error::detail(std::string_view key) const {
    for (const auto& [name, value] : details_) {
        if (name == key) return value;
    }
    return "";
}

Error&& Error::in(std::string_view context) && {
    message_.insert(0, std::string(context) + ": ");
    return std::move(*this);
}

}  // namespace quire
