#include "base/words.hpp"
#include "runtime/http/url.hpp"
#include "services/gateway/gateway_api.hpp"
#include "services/gateway/paging.hpp"

namespace quire::gateway {
namespace {

json::value text_or_null(const std::string& text) {
    return text.empty() ? json::value(nullptr) : json::value(text);
}

json::value prompt_json(const analytics::v1::Request& request) {
    if (request.prompt().empty()) return nullptr;
    json::object out;
    out["name"] = request.prompt();
    out["version"] = request.prompt_version();
    return out;
}

json::object usage_json(const common::v1::Usage& usage) {
    json::object out;
    out["input_tokens"] = usage.input_tokens();
    out["output_tokens"] = usage.output_tokens();
    out["estimated"] = usage.estimated();
    return out;
}

json::object cost_json(const common::v1::Cost& cost) {
    json::object out;
    out["amount"] = cost.amount();
    out["unit"] = "micro_credits";
    return out;
}

json::array lines_json(const common::v1::Cost& cost) {
    json::array lines;
    for (const common::v1::CostLine& line : cost.lines()) {
        json::object out;
        out["class"] = line.class_();
        out["tokens"] = line.tokens();
        out["price"] = line.price();
        out["amount"] = line.amount();
        lines.push_back(std::move(out));
    }
    return lines;
}

json::array steps_json(const analytics::v1::Request& request) {
    json::array steps;
    for (const common::v1::Step& step : request.steps()) {
        json::object out;
        out["name"] = step.name();
        out["start_us"] = step.start_us();
        out["duration_us"] = step.duration_us();
        steps.push_back(std::move(out));
    }
    return steps;
}

json::array review_json(const analytics::v1::Request& request) {
    json::array review;
    for (const review::v1::Decision& decision : request.review()) {
        json::object out;
        out["stage"] = decision.stage();
        out["rule"] = decision.rule();
        out["kind"] = decision.kind();
        out["action"] = decision.action();
        out["count"] = decision.count();
        review.push_back(std::move(out));
    }
    return review;
}

json::value error_json(const analytics::v1::Request& request) {
    if (request.error_code().empty()) return nullptr;
    json::object out;
    out["code"] = request.error_code();
    out["message"] = request.error_message();
    return out;
}

/// What stands in a list.
json::object short_json(const analytics::v1::Request& request) {
    json::object out;
    out["id"] = request.id();
    out["at"] = to_rfc3339(Timestamp{request.at_us()});
    out["route"] = text_or_null(request.route());
    out["streamed"] = request.streamed();
    out["status"] = request.status();
    out["http_status"] = nullptr;
    if (request.http_status() != 0) out["http_status"] = request.http_status();
    out["model"] = request.model();
    out["provider"] = text_or_null(request.provider());
    out["prompt"] = prompt_json(request);
    out["variant"] = text_or_null(request.variant());
    out["key_id"] = request.key_id();
    out["usage"] = usage_json(request.usage());
    out["cost"] = cost_json(request.cost());
    out["review"] = review_json(request);
    out["error"] = error_json(request);
    out["trace_id"] = request.trace_id();
    return out;
}

json::object whole_json(const analytics::v1::Request& request) {
    json::object out = short_json(request);
    out["cost"].get_object()["lines"] = lines_json(request.cost());
    out["steps"] = steps_json(request);
    out["content"] = nullptr;
    if (request.has_content()) {
        json::object content;
        content["input"] = request.content().input();
        content["output"] = request.content().output();
        out["content"] = std::move(content);
    }
    return out;
}

Result<analytics::v1::ListRequestsRequest> read_listing(const http::RequestHead& head) {
    analytics::v1::ListRequestsRequest request;
    QUIRE_TRY(*request.mutable_page(), read_page(head, {"req", "a request"}));
    QUIRE_TRY(auto model, http::query_value(head.query, "model"));
    QUIRE_TRY(auto status, http::query_value(head.query, "status"));
    QUIRE_TRY(auto key, http::query_value(head.query, "key"));
    request.set_model(model.value_or(""));
    request.set_status(status.value_or(""));
    request.set_key_id(key.value_or(""));
    const auto known =
        request.status().empty() ? Result<void>() : check_request_status(request.status());
    if (!known) return known.error();
    return request;
}

}  // namespace

awaitable<Result<void>> GatewayApi::list_requests(GatewayCall& call) {
    auto request = read_listing(call.exchange.head());
    if (!request) co_return request.error();
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    QUIRE_CO_TRY(const auto listed, ports_.analytics->list_requests(call.ctx, *request));
    json::array data;
    for (const auto& one : listed.requests()) data.push_back(short_json(one));
    json::object body;
    body["data"] = std::move(data);
    body["has_more"] = listed.has_more();
    std::string text = json::serialize(body);
    co_return co_await call.respond_json(200, std::move(text));
}

awaitable<Result<void>> GatewayApi::get_request(GatewayCall& call) {
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    analytics::v1::GetRequestRequest request;
    request.set_id(call.path_parameter(0));
    QUIRE_CO_TRY(const auto found, ports_.analytics->get_request(call.ctx, request));
    std::string text = json::serialize(whole_json(found.request()));
    co_return co_await call.respond_json(200, std::move(text));
}

}  // namespace quire::gateway
