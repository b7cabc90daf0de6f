#include "runtime/http/problem.hpp"

#include <fmt/format.h>

#include <charconv>
#include <system_error>

namespace quire::http {
namespace {

std::string title_of(const Error& error) {
    std::string title(error.name());
    for (char& c : title) {
        if (c == '_') c = ' ';
    }
    return title;
}

/// Errors may quote what a client sent, and the body must be JSON whatever that was.
json::string utf8(std::string_view text) {
    if (runtime::is_valid_utf8(text)) return json::string(text.data(), text.size());
    return json::parse(runtime::json_string(text)).get_string();
}

}  // namespace

Error cancelled_by(CancelReason reason, const Error& error) {
    if (error.code() != ErrorCode::kCancelled) return error;
    Error meant = error;
    if (reason == CancelReason::kDeadline) {
        meant = Error(ErrorCode::kDeadlineExceeded, "the request's deadline passed");
    } else if (reason == CancelReason::kShutdown) {
        meant = Error(ErrorCode::kShuttingDown, "the process is stopping; retry");
    }
    if (error.is_paid()) meant.mark_paid();
    return meant;
}

int status_of(const Error& error) {
    if (error.detail("http_status") == "422") return 422;
    const int status = error.row().http_status;
    return status == 0 ? 500 : status;
}

json::value detail_json(std::string_view key, std::string_view value) {
    const bool counts = key == "balance" || key == "required" || key == "limit";
    if (!counts) return utf8(value);
    std::int64_t count = 0;
    const char* end = value.data() + value.size();
    const auto [at, failed] = std::from_chars(value.data(), end, count);
    if (failed == std::errc() && at == end) return count;
    return utf8(value);
}

void add_error_headers(Response& response, const Error& error, std::string_view request_id) {
    if (!request_id.empty()) response.headers.emplace_back("x-request-id", request_id);
    const ErrorRow& row = error.row();
    if (row.http_status == 401) response.headers.emplace_back("www-authenticate", "Bearer");
    if (!row.can_retry || error.is_paid()) response.headers.emplace_back("x-should-retry", "false");
    const bool needs_hint = row.http_status == 429 || row.http_status == 503 ||
                            row.http_status == 504 || row.http_status == 409;
    // A library that heeds only this one would pay twice.
    if (!error.is_paid() && (error.retry_after() || needs_hint)) {
        const auto wait = error.retry_after().value_or(std::chrono::seconds(1));
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
        response.headers.emplace_back("retry-after",
                                      std::to_string(std::max<std::int64_t>(1, seconds)));
    }
}

Response problem(const Error& error, std::string_view request_id, std::string_view trace_id) {
    json::object body;
    body["type"] = fmt::format("urn:quire:error:{}", error.name());
    body["title"] = title_of(error);
    body["status"] = status_of(error);
    body["detail"] = utf8(error.message());
    body["code"] = error.name();
    body["request_id"] = request_id;
    if (!trace_id.empty()) body["trace_id"] = trace_id;
    json::array errors;
    for (const auto& [key, value] : error.details()) {
        if (key == "param") {
            json::object at;
            at["pointer"] = utf8(value.starts_with('/') ? value : "/" + value);
            at["detail"] = utf8(error.message());
            errors.push_back(std::move(at));
        } else if (key != "http_status" && !body.contains(key)) {
            body[key] = detail_json(key, value);
        }
    }
    body["errors"] = std::move(errors);

    Response response;
    response.status = status_of(error);
    response.content_type = "application/problem+json";
    response.body = json::serialize(body);
    add_error_headers(response, error, request_id);
    return response;
}

}  // namespace quire::http
