#include "services/gateway/gateway_errors.hpp"

#include "runtime/http/problem.hpp"
#include "runtime/json.hpp"

#include <fmt/format.h>

namespace quire::gateway {
namespace {

void append_key(std::string& out, std::string_view key) {
    if (!out.ends_with('{')) out += ',';
    runtime::append_json_string(out, key);
    out += ':';
}

void append_member(std::string& out, std::string_view key, std::string_view value) {
    append_key(out, key);
    runtime::append_json_string(out, value);
}

}  // namespace

/// Errors may quote what a client sent; append_json_string makes valid JSON of whatever that was.
std::string openai_error(const Error& error, std::string_view trace_id) {
    std::string out = R"({"error":{)";
    append_member(out, "message", error.message());
    append_member(out, "type", error.row().openai_type);
    const std::string_view param = error.detail("param");
    if (param.empty()) {
        out += R"(,"param":null)";
    } else {
        append_member(out, "param", param);
    }
    append_member(out, "code", error.name());
    out += R"(,"metadata":{)";
    for (const auto& [key, value] : error.details()) {
        if (key == "param" || key == "http_status") continue;
        append_key(out, key);
        out += json::serialize(http::detail_json(key, value));
    }
    if (!trace_id.empty()) append_member(out, "trace_id", trace_id);
    out += "}}}";
    return out;
}

std::string error_event(const Error& error, std::string_view path, std::string_view request_id,
                        std::string_view trace_id) {
    if (path.starts_with("/api/")) {
        const std::string body = http::problem(error, request_id, trace_id).body;
        return fmt::format("event: error\ndata: {}\n\n", body);
    }
    return fmt::format("data: {}\n\n", openai_error(error, trace_id));
}

void add_openai_version(http::Response& response, std::string_view path) {
    if (path != "/v1" && !path.starts_with("/v1/")) return;
    response.headers.emplace_back("openai-version", "2020-10-01");
}

http::Response error_response(const Error& error, std::string_view path,
                              std::string_view request_id, std::string_view trace_id) {
    if (path.starts_with("/api/")) return http::problem(error, request_id, trace_id);
    http::Response response;
    response.status = http::status_of(error);
    response.content_type = "application/json";
    response.body = openai_error(error, trace_id);
    http::add_error_headers(response, error, request_id);
    add_openai_version(response, path);
    return response;
}

}  // namespace quire::gateway
