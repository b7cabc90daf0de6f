#include "runtime/rpc/wire/wire_format.hpp"

#include "base/id.hpp"
#include "base/text.hpp"
#include "quire/common/v1/common.pb.h"
#include "quire/wire/v1/wire.pb.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>

namespace quire::rpc {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::size_t kHeaders = 12;  ///< of a call that carries everything
constexpr std::string_view kDomain = "quire";
constexpr const char* kPaidKey = "paid";  ///< in the metadata: Error::is_paid
constexpr std::string_view kErrorInfoType = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr std::string_view kRetryInfoType = "type.googleapis.com/google.rpc.RetryInfo";
constexpr int kRetriesMax = 10;  ///< as many as the configuration allows
/// libgrpc++ gives up a call whose headers are over 8 KiB, and with it the error: these two,
/// encoded at their worst (the message twice, once at three bytes a byte), stay below.
constexpr std::size_t kMessageBytesMax = 1024;
constexpr std::size_t kDetailBytesMax = 1536;

std::string principal_bytes(const Principal& from) {
    common::v1::Principal principal;
    principal.set_org_id(from.org_id);
    principal.set_project_id(from.project_id);
    principal.set_user_id(from.user_id);
    principal.set_key_id(from.key_id);
    for (const std::string& scope : from.scopes) principal.add_scopes(scope);
    return principal.SerializeAsString();
}

std::string call_bytes(const CallContext& ctx) {
    wire::v1::Call call;
    if (ctx.retries) call.set_retries_left(ctx.retries->left());
    call.set_idempotency_key(ctx.idempotency_key);
    call.set_is_shadow(ctx.is_shadow);
    call.set_route(ctx.route);
    call.set_variant(ctx.variant);
    call.set_is_operator(ctx.principal.is_operator);
    return call.SerializeAsString();
}

/// Reads a `-bin` header into `message`; an absent one leaves it empty.
Result<void> read_binary(const HeaderList& headers, std::string_view name,
                         google::protobuf::MessageLite& message) {
    const std::string_view text = find_header(headers, name);
    if (text.empty()) return {};
    const auto bytes = base64_decode(text);
    if (bytes && message.ParseFromString(*bytes)) return {};
    return Error(ErrorCode::kInvalidValue,
                 fmt::format("the header '{}' is no {} in base64", name, message.GetTypeName()));
}

/// As gRPC's own status, or nullopt for a status that is no number of gRPC's.
std::optional<int> status_of(const HeaderList& headers) {
    const std::string_view text = find_header(headers, "grpc-status");
    int status = -1;
    const auto end = text.data() + text.size();
    const auto [rest, ec] = std::from_chars(text.data(), end, status);
    if (ec != std::errc() || rest != end || status < 0) return std::nullopt;
    return status;
}

/// An answer without gRPC's status: a proxy's page, or a server of another kind.
Error foreign_answer(const HeaderList& headers) {
    const std::string_view http = find_header(headers, ":status");
    const bool may_pass = http == "429" || http == "502" || http == "503" || http == "504";
    return {may_pass ? ErrorCode::kOverloaded : ErrorCode::kInternalError,
            fmt::format("the service answered HTTP {} ({}) without a gRPC status; is it a service "
                        "of Quire?",
                        http.empty() ? "nothing" : http, find_header(headers, "content-type"))};
}

Error foreign_status(int status, std::string message) {
    switch (status) {
        case static_cast<int>(GrpcStatus::kUnavailable):
        case static_cast<int>(GrpcStatus::kCancelled):
            return {ErrorCode::kOverloaded, std::move(message)};
        case static_cast<int>(GrpcStatus::kDeadlineExceeded):
            return {ErrorCode::kDeadlineExceeded, std::move(message)};
        default:
            return {ErrorCode::kInternalError,
                    fmt::format("the service answered gRPC status {}: {}", status, message)};
    }
}

/// Our own error out of the details, when they are ours.
std::optional<Error> own_error(const wire::v1::Status& status) {
    std::optional<Error> error;
    std::optional<milliseconds> retry_after;
    for (const auto& any : status.details()) {
        wire::v1::ErrorInfo info;
        wire::v1::RetryInfo retry;
        if (any.type_url() == kErrorInfoType && info.ParseFromString(any.value()) &&
            info.domain() == kDomain) {
            const auto code = error_code_named(info.reason());
            if (!code) return std::nullopt;
            error.emplace(*code, status.message());
            for (const auto& [key, value] : info.metadata()) {
                if (key != kPaidKey) error->add_detail(key, value);
            }
            if (info.metadata().contains(kPaidKey)) error->mark_paid();
        } else if (any.type_url() == kRetryInfoType && retry.ParseFromString(any.value())) {
            retry_after = milliseconds(retry.retry_delay().seconds() * 1000 +
                                       retry.retry_delay().nanos() / 1'000'000);
        }
    }
    if (error && retry_after) return std::move(*error).with_retry_after(*retry_after);
    return error;
}

/// The facts of an error, as many of them as fit.
wire::v1::ErrorInfo info_of(const Error& error) {
    wire::v1::ErrorInfo info;
    info.set_reason(std::string(error.name()));
    info.set_domain(std::string(kDomain));
    if (error.is_paid()) (*info.mutable_metadata())[kPaidKey] = "true";
    std::size_t bytes = 0;
    for (const auto& [key, value] : error.details()) {
        bytes += key.size() + value.size();
        if (bytes <= kDetailBytesMax) (*info.mutable_metadata())[key] = value;
    }
    return info;
}

void add_detail(wire::v1::Status& status, std::string_view type,
                const google::protobuf::MessageLite& message) {
    auto& any = *status.add_details();
    any.set_type_url(std::string(type));
    any.set_value(message.SerializeAsString());
}

}  // namespace

HeaderList to_headers(const CallContext& ctx, std::string_view path, std::string_view authority,
                      SteadyTime now) {
    HeaderList headers;
    headers.reserve(kHeaders);
    headers.emplace_back(":method", "POST");
    headers.emplace_back(":scheme", "http");
    headers.emplace_back(":path", path);
    headers.emplace_back(":authority", authority);
    headers.emplace_back("te", "trailers");
    headers.emplace_back("content-type", "application/grpc+proto");
    if (ctx.deadline != SteadyTime::max()) {
        headers.emplace_back("grpc-timeout", to_grpc_timeout(ctx.deadline - now));
    }
    headers.emplace_back("traceparent", ctx.trace.traceparent());
    if (!ctx.trace.tracestate.empty()) headers.emplace_back("tracestate", ctx.trace.tracestate);
    if (!ctx.request_id.empty()) headers.emplace_back("quire-request-id", ctx.request_id);
    const std::string principal = principal_bytes(ctx.principal);
    if (!principal.empty()) headers.emplace_back("quire-principal-bin", base64_encode(principal));
    const std::string call = call_bytes(ctx);
    if (!call.empty()) headers.emplace_back("quire-call-bin", base64_encode(call));
    return headers;
}

Result<CallContext> to_context(const HeaderList& headers, const Clock& clock, Rng& rng) {
    CallContext ctx;
    ctx.request_id = find_header(headers, "quire-request-id");
    // Ids are keys of stores, and cursors of pages.
    if (!ulid_of(ctx.request_id, "req")) ctx.request_id = make_id("req", clock.now(), rng);
    common::v1::Principal principal;
    const auto has_principal = read_binary(headers, "quire-principal-bin", principal);
    if (!has_principal) return has_principal.error();
    wire::v1::Call call;
    const auto has_call = read_binary(headers, "quire-call-bin", call);
    if (!has_call) return has_call.error();
    ctx.principal = {principal.org_id(),
                     principal.project_id(),
                     principal.user_id(),
                     principal.key_id(),
                     {principal.scopes().begin(), principal.scopes().end()},
                     call.is_operator()};
    ctx.retries = std::make_shared<RetryBudget>(std::clamp(call.retries_left(), 0, kRetriesMax));
    ctx.idempotency_key = call.idempotency_key();
    ctx.is_shadow = call.is_shadow();
    ctx.route = call.route();
    ctx.variant = call.variant();
    const auto trace = runtime::parse_traceparent(find_header(headers, "traceparent"));
    ctx.trace = trace ? *trace : runtime::new_trace(rng);
    ctx.trace.tracestate = runtime::clean_tracestate(find_header(headers, "tracestate"));
    const std::string_view timeout = find_header(headers, "grpc-timeout");
    if (!timeout.empty()) {
        const auto left = parse_grpc_timeout(timeout);
        if (!left) {
            return Error(ErrorCode::kInvalidValue,
                         fmt::format("grpc-timeout '{}': one to eight digits and one of H M S m u "
                                     "n",
                                     timeout));
        }
        ctx.deadline = clock.steady() + *left;
    }
    return ctx;
}

HeaderList to_trailers(const Result<void>& ended) {
    if (ended) return {{"grpc-status", "0"}};
    const Error& error = ended.error();
    const int grpc_status = static_cast<int>(error.row().grpc_status);
    const std::string message(beginning_of(error.message(), kMessageBytesMax));
    wire::v1::Status status;
    status.set_code(grpc_status);
    status.set_message(message);
    add_detail(status, kErrorInfoType, info_of(error));
    if (const auto after = error.retry_after()) {
        wire::v1::RetryInfo retry;
        retry.mutable_retry_delay()->set_seconds(after->count() / 1000);
        retry.mutable_retry_delay()->set_nanos(
            static_cast<std::int32_t>(after->count() % 1000 * 1'000'000));
        add_detail(status, kRetryInfoType, retry);
    }
    return {{"grpc-status", std::to_string(grpc_status)},
            {"grpc-message", percent_encode_message(message)},
            {"grpc-status-details-bin", base64_encode(status.SerializeAsString())}};
}

HeaderList unimplemented_trailers(std::string_view message) {
    return {{"grpc-status", std::to_string(kGrpcUnimplemented)},
            {"grpc-message", percent_encode_message(message)}};
}

Result<void> to_result(const HeaderList& headers) {
    const auto status = status_of(headers);
    if (!status) return foreign_answer(headers);
    if (*status == 0) return {};
    if (const auto bytes = base64_decode(find_header(headers, "grpc-status-details-bin"))) {
        wire::v1::Status details;
        if (details.ParseFromString(*bytes)) {
            if (auto error = own_error(details)) return *std::move(error);
        }
    }
    return foreign_status(*status, percent_decode_message(find_header(headers, "grpc-message")));
}

Result<void> check_answer(const HeaderList& headers) {
    if (!find_header(headers, "grpc-status").empty()) return {};  // which says more
    if (find_header(headers, ":status") == "200" &&
        find_header(headers, "content-type").starts_with("application/grpc")) {
        return {};
    }
    return foreign_answer(headers);
}

std::string percent_encode_message(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c >= ' ' && c <= '~' && c != '%') {
            out += c;
        } else {
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

/// What is no escape stays as it is: a message is for people.
std::string percent_decode_message(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned value = 0;
        const char* digits = text.data() + i + 1;
        const bool is_escape = text[i] == '%' && i + 2 < text.size() &&
                               std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2;
        out += is_escape ? static_cast<char>(value) : text[i];
        if (is_escape) i += 2;
    }
    return out;
}

std::string base64_encode(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
    while (text.ends_with('=')) text.remove_suffix(1);
    if (text.size() % 4 == 1) return std::nullopt;
    std::string padded;
    padded.reserve((text.size() + 3) / 4 * 4);
    padded = text;
    while (padded.size() % 4 != 0) padded += '=';
    std::string out(padded.size() / 4 * 3 + 1, '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(padded.data()),
                                     static_cast<int>(padded.size()));
    if (size < 0) return std::nullopt;
    out.resize(static_cast<std::size_t>(size) - (padded.size() - text.size()));
    return out;
}

std::string to_grpc_timeout(nanoseconds left) {
    constexpr std::int64_t kDigitsMax = 99'999'999;
    const std::int64_t micros =
        std::max<std::int64_t>(1, duration_cast<std::chrono::microseconds>(left).count());
    if (micros <= kDigitsMax) return fmt::format("{}u", micros);
    return fmt::format("{}m", std::min(micros / 1000, kDigitsMax));
}

std::optional<nanoseconds> parse_grpc_timeout(std::string_view text) {
    if (text.size() < 2 || text.size() > 9) return std::nullopt;
    std::int64_t value = 0;
    const char* end = text.data() + text.size() - 1;
    const auto [rest, ec] = std::from_chars(text.data(), end, value);
    if (ec != std::errc() || rest != end || value < 0) return std::nullopt;
    switch (text.back()) {
        case 'H':
            // Eight digits of hours are more than a clock holds.
            return std::chrono::hours(std::min<std::int64_t>(value, 24 * 365));
        case 'M':
            return std::chrono::minutes(std::min<std::int64_t>(value, 60 * 24 * 365));
        case 'S':
            return std::chrono::seconds(value);
        case 'm':
            return milliseconds(value);
        case 'u':
            return std::chrono::microseconds(value);
        case 'n':
            return nanoseconds(value);
        default:
            return std::nullopt;
    }
}

}  // namespace quire::rpc
