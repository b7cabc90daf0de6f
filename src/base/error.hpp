#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {

/// Every way a request can fail, one row each in the catalogue below. Users see the row's name.
enum class ErrorCode {
    kInvalidJson,
    kInvalidValue,
    kMissingRequiredParameter,
    kUnsupportedValue,
    kUnsupportedParameter,
    kContextLengthExceeded,
    kMissingVariable,
    kTemplateError,
    kContentPolicyViolation,
    kInvalidApiKey,
    kApiKeyExpired,
    kApiKeyRevoked,
    kInsufficientQuota,
    kPermissionDenied,
    kModelNotAllowed,
    kNotFound,
    kModelNotFound,
    kPromptNotFound,
    kMethodNotAllowed,
    kRequestTooLarge,
    kUnsupportedMediaType,
    kIdempotencyInProgress,
    kIdempotencyKeyReused,
    kAlreadyExists,
    kAlreadyCompleted,
    kRateLimitExceeded,
    kQueueFull,
    kInternalError,
    kUpstreamError,
    kUpstreamAuthFailed,
    kOverloaded,
    kShuttingDown,
    kReviewUnavailable,
    kCreditsUnavailable,
    kStorageUnavailable,
    kQueueTimeout,
    kUpstreamTimeout,
    kDeadlineExceeded,
    kCancelled,
    kStreamInterrupted,
    kSettleFailed,
};

/// gRPC's canonical status codes, by their wire numbers.
enum class GrpcStatus {
    kOk = 0,
    kCancelled = 1,
    kInvalidArgument = 3,
    kDeadlineExceeded = 4,
    kNotFound = 5,
    kPermissionDenied = 7,
    kResourceExhausted = 8,
    kFailedPrecondition = 9,
    kAborted = 10,
    kInternal = 13,
    kUnavailable = 14,
    kUnauthenticated = 16,
};

/// One row of the error catalogue: everything that follows from a code.
struct ErrorRow {
    ErrorCode code;
    std::string_view name;  ///< what users see, e.g. `insufficient_quota`
    int http_status;        ///< 0: never a status of its own (log or stream only)
    GrpcStatus grpc_status;
    std::string_view openai_type;  ///< the `type` of OpenAI's error object
    bool can_retry;                ///< the same request may succeed later
    std::string_view meaning;      ///< one sentence for docs/reference/errors.md
};

/// The whole catalogue in the order of ErrorCode.
std::span<const ErrorRow> error_catalogue();
const ErrorRow& row_of(ErrorCode code);
std::optional<ErrorCode> error_code_named(std::string_view name);

/// A failure as a value. `message` says what was wrong and what would be right; `details` carry
/// facts for programs (`balance`, `required`, `limit`, `param`).
class [[nodiscard]] Error {
public:
    Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

    ErrorCode code() const { return code_; }
    const ErrorRow& row() const { return row_of(code_); }
    std::string_view name() const { return row().name; }
    const std::string& message() const { return message_; }

    std::optional<std::chrono::milliseconds> retry_after() const { return retry_after_; }
    const std::vector<std::pair<std::string, std::string>>& details() const { return details_; }
    /// The detail named `key`, or "" when there is none.
    std::string_view detail(std::string_view key) const;
    /// The code allows a repeat, but this request is paid for: a repeat would cost again.
    bool is_paid() const { return is_paid_; }

    void add_detail(std::string key, std::string value) {
        details_.emplace_back(std::move(key), std::move(value));
    }
    Error&& with_retry_after(std::chrono::milliseconds after) && {
        retry_after_ = after;
        return std::move(*this);
    }
    Error&& with_detail(std::string key, std::string value) && {
        details_.emplace_back(std::move(key), std::move(value));
        return std::move(*this);
    }
    void mark_paid() { is_paid_ = true; }
    Error&& as_paid() && {
        mark_paid();
        return std::move(*this);
    }
    /// Names the field at fault (`messages[0].role`, `/variables/topic`).
    Error&& with_param(std::string param) && {
        return std::move(*this).with_detail("param", std::move(param));
    }
    /// The same error with `context` put before its message.
    Error&& in(std::string_view context) &&;

    bool operator==(const Error&) const = default;

private:
    ErrorCode code_;
    std::string message_;
    std::optional<std::chrono::milliseconds> retry_after_;
    std::vector<std::pair<std::string, std::string>> details_;
    bool is_paid_ = false;
};

}  // namespace quire
