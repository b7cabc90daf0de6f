#include "services/gateway/gateway_errors.hpp"

#include "runtime/http/problem.hpp"
#include "runtime/json.hpp"

#include <fmt/format.h>

namespace quire::gateway {

std::string openai_error(const Error& error, std::string_view trace_id) {
    json::object inner;
    inner["message"] = error.message();
    inner["type"] = error.row().openai_type;
    const std::string_view param = error.detail("param");
    inner["param"] = nullptr;
    if (!param.empty()) inner["param"] = param;
    inner["code"] = error.name();
    json::object metadata;
    for (const auto& [key, value] : error.details()) {
        if (key != "param" && key != "http_status") metadata[key] = value;
    }
    if (!trace_id.empty()) metadata["trace_id"] = trace_id;
    inner["metadata"] = std::move(metadata);
    json::object body;
    body["error"] = std::move(inner);
    return json::serialize(body);
}

http::Response error_response(const Error& error, std::string_view path,
                              std::string_view request_id, std::string_view trace_id) {
    if (path.starts_with("/api/")) return http::problem(error, request_id);
    http::Response response;
    response.status = http::status_of(error);
    response.content_type = "application/json";
    response.body = openai_error(error, trace_id);
    http::add_error_headers(response, error, request_id);
    return response;
}

}  // namespace quire::gateway
