#include "providers/openai/upstream_error.hpp"

#include "runtime/config/values.hpp"
#include "runtime/json.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>

namespace quire::providers {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMessageMax = 500;
constexpr std::string_view kRedacted = "[redacted]";

struct Told {
    bool is_json = false;
    std::string message;
    std::string code;
    std::string param;
};

Told read_body(std::string_view body) {
    Told told;
    const auto parsed = runtime::parse_json(body);
    if (!parsed || !parsed->is_object()) return told;
    told.is_json = true;
    const json::object* from = &parsed->get_object();
    if (const json::value* inner = runtime::find_member(*from, "error")) {
        if (inner->is_string()) told.message = std::string(inner->get_string());
        if (inner->is_object()) from = &inner->get_object();
    }
    if (told.message.empty()) told.message = std::string(runtime::text_member(*from, "message"));
    told.code = std::string(runtime::text_member(*from, "code"));
    told.param = std::string(runtime::text_member(*from, "param"));
    return told;
}

std::string replaced(std::string_view text, std::string_view what) {
    std::string out;
    std::size_t from = 0;
    for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, from)) {
        out.append(text, from, at - from).append(kRedacted);
        from = at + what.size();
    }
    return out.append(text, from);
}

/// Without the runs of non-spaces that begin with `start`.
std::string without_words(std::string_view text, std::string_view start) {
    std::string out;
    std::size_t from = 0;
    for (auto at = text.find(start); at != std::string_view::npos; at = text.find(start, from)) {
        out.append(text, from, at - from).append(kRedacted);
        from = std::min(text.find_first_of(" \t\r\n\"'<>,;)", at + start.size()), text.size());
    }
    return out.append(text, from);
}

ErrorCode client_fault_code(int status, const std::string& told) {
    if (status == 404) return ErrorCode::kModelNotFound;
    if (status == 413) return ErrorCode::kRequestTooLarge;
    const auto code = error_code_named(told);
    if (code && row_of(*code).http_status == 400) return *code;
    return ErrorCode::kInvalidValue;
}

}  // namespace

Error to_error(const UpstreamRefusal& refusal, Timestamp now) {
    if (refusal.status == 401 || refusal.status == 403) {
        return {ErrorCode::kUpstreamAuthFailed,
                "the provider refused the operator's credentials; the operator must set the "
                "provider's api_key"};
    }
    if (refusal.status == 429) {
        Error error(ErrorCode::kOverloaded, "the provider has no capacity for us; retry later");
        const auto wait = read_retry_after(refusal.retry_after, refusal.retry_after_ms, now);
        return std::move(error).with_retry_after(wait.value_or(std::chrono::seconds(5)));
    }
    const bool is_client_fault = refusal.status == 400 || refusal.status == 404 ||
                                 refusal.status == 413 || refusal.status == 422;
    if (!is_client_fault) {
        return {ErrorCode::kUpstreamError,
                fmt::format("the provider answered status {}", refusal.status)};
    }
    const Told told = read_body(refusal.body);
    if (!told.is_json) {
        // A page of some other server: the base URL is wrong, not the client's request.
        return {
            ErrorCode::kUpstreamError,
            fmt::format("the provider answered status {} without a JSON error", refusal.status)};
    }
    const std::string message = cleaned(told.message, refusal.secrets);
    Error error(client_fault_code(refusal.status, told.code),
                message.empty()
                    ? fmt::format("the provider refused the request ({})", refusal.status)
                    : fmt::format("the provider refused the request: {}", message));
    if (!told.param.empty()) {
        error.add_detail("param", cleaned(told.param, refusal.secrets));
    }
    if (refusal.status == 422) error.add_detail("http_status", "422");
    return error;
}

std::optional<milliseconds> read_retry_after(std::string_view retry_after,
                                             std::string_view retry_after_ms, Timestamp now) {
    const auto clamped = [](double millis) {
        return milliseconds(static_cast<std::int64_t>(std::clamp(millis, 1'000.0, 60'000.0)));
    };
    if (const auto millis = config::parse_number(retry_after_ms)) return clamped(*millis);
    if (retry_after.empty()) return std::nullopt;
    if (const auto seconds = config::parse_number(retry_after)) return clamped(*seconds * 1000);
    std::tm parts{};
    const std::string date(retry_after);
    if (strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts) == nullptr) return std::nullopt;
    const std::int64_t at = timegm(&parts);
    return clamped(static_cast<double>(at - now.seconds()) * 1000);
}

std::string cleaned(std::string_view text, const std::vector<std::string>& secrets) {
    // The whole text, since a cut could leave the beginning of a secret.
    std::string out(text);
    for (const std::string& secret : secrets) {
        if (!secret.empty()) out = replaced(out, secret);
    }
    for (const std::string_view start : {"http://", "https://", "sk-", "Bearer ", "bearer "}) {
        out = without_words(out, start);
    }
    out = out.substr(0, kMessageMax);
    while (!out.empty() && !runtime::is_valid_utf8(out)) out.pop_back();
    return out;
}

}  // namespace quire::providers
