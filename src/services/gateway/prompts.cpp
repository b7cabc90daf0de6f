#include "base/words.hpp"
#include "providers/prompt_fields.hpp"
#include "runtime/config/values.hpp"
#include "runtime/http/url.hpp"
#include "services/gateway/body_fields.hpp"
#include "services/gateway/gateway_api.hpp"
#include "services/gateway/idempotency.hpp"
#include "services/gateway/paging.hpp"

#include <fmt/format.h>

namespace quire::gateway {
namespace {

/// What every answer about a version begins with, and all that a publisher needs.
json::object short_json(const prompts::v1::PromptVersion& version) {
    json::object out;
    out["name"] = version.name();
    out["version"] = version.version();
    json::array labels;
    for (const std::string& label : version.labels()) labels.emplace_back(label);
    out["labels"] = std::move(labels);
    json::array variables;
    for (const std::string& variable : version.variables()) variables.emplace_back(variable);
    out["variables"] = std::move(variables);
    out["created_at"] = to_rfc3339(Timestamp{version.created_at_us()});
    return out;
}

json::object version_json(const prompts::v1::PromptVersion& version) {
    json::object out = short_json(version);
    out["model"] = nullptr;
    if (!version.model().empty()) out["model"] = version.model();
    out["parameters"] = json::object();
    auto parameters = runtime::parse_json(version.parameters_json());
    if (parameters) out["parameters"] = *std::move(parameters);
    json::array messages;
    for (const auto& message : version.messages()) {
        json::object one;
        one["role"] = message.role();
        one["content"] = message.content();
        messages.push_back(std::move(one));
    }
    out["messages"] = std::move(messages);
    return out;
}

json::object prompt_json(const prompts::v1::Prompt& prompt) {
    json::object out;
    out["name"] = prompt.name();
    out["latest_version"] = prompt.latest_version();
    const std::map<std::string, std::int64_t> sorted(prompt.labels().begin(),
                                                     prompt.labels().end());
    json::object labels;
    for (const auto& [label, version] : sorted) labels[label] = version;
    out["labels"] = std::move(labels);
    out["created_at"] = to_rfc3339(Timestamp{prompt.created_at_us()});
    return out;
}

Result<void> read_messages(const json::object& body, prompts::v1::PublishVersionRequest& to) {
    const json::value* messages = runtime::find_member(body, "messages");
    if (messages == nullptr) {
        return Error(ErrorCode::kMissingRequiredParameter, "'messages' is required")
            .with_param("messages");
    }
    if (!messages->is_array()) return wrong_field("messages", "a list of messages");
    for (std::size_t i = 0; i < messages->get_array().size(); ++i) {
        const json::value& value = messages->get_array()[i];
        const std::string where = fmt::format("/messages/{}", i);
        if (!value.is_object()) return wrong_field(where, "an object with role and content");
        const json::object& from = value.get_object();
        for (const auto& member : from) {
            const std::string_view key(member.key().data(), member.key().size());
            const std::string field = fmt::format("{}/{}", where, runtime::pointer_step(key));
            if (key != "role" && key != "content") {
                return wrong_field(field, "left out; a message has role and content");
            }
            if (!member.value().is_string()) return wrong_field(field, "a string");
        }
        if (from.size() < 2) return wrong_field(where, "an object with role and content");
        auto& message = *to.add_messages();
        message.set_role(std::string(runtime::text_member(from, "role")));
        message.set_content(std::string(runtime::text_member(from, "content")));
    }
    return {};
}

Result<void> read_labels(const json::object& body, prompts::v1::PublishVersionRequest& to) {
    const json::value* labels = runtime::find_member(body, "labels");
    if (labels == nullptr) return {};
    if (!labels->is_array()) return wrong_field("labels", "a list of strings");
    for (const json::value& label : labels->get_array()) {
        if (!label.is_string()) return wrong_field("labels", "a list of strings");
        to.add_labels(std::string(label.get_string()));
    }
    return {};
}

/// All but what is wrong in a template, which only prompts can read.
Result<prompts::v1::PublishVersionRequest> read_publish(std::string name,
                                                        const json::object& body) {
    const auto known = check_fields(body, {"messages", "model", "parameters", "labels"});
    if (!known) return known.error();
    prompts::v1::PublishVersionRequest request;
    request.set_name(std::move(name));
    auto read = read_messages(body, request);
    if (!read) return read.error();
    QUIRE_TRY(*request.mutable_model(), read_text(body, "model"));
    if (const json::value* parameters = runtime::find_member(body, "parameters")) {
        if (!parameters->is_object()) return wrong_field("parameters", "an object");
        request.set_parameters_json(json::serialize(*parameters));
    }
    read = read_labels(body, request);
    if (read) read = providers::check_prompt_fields(providers::prompt_fields_of(request));
    if (!read) return read.error();
    return request;
}

Result<prompts::v1::GetPromptRequest> read_choice(const GatewayCall& call) {
    const std::string_view query = call.exchange.head().query;
    prompts::v1::GetPromptRequest request;
    request.set_name(call.path_parameter(0));
    QUIRE_TRY(auto label, http::query_value(query, "label"));
    request.set_label(label.value_or(""));
    QUIRE_TRY(const auto version, http::query_value(query, "version"));
    if (!version) return request;
    const auto number = config::parse_integer(*version);
    if (!number || *number < 1) return wrong_field("version", "a whole number of at least 1");
    if (!request.label().empty()) return wrong_field("version", "left out when there is a label");
    request.set_version(*number);
    return request;
}

}  // namespace

awaitable<Result<void>> GatewayApi::publish_version(GatewayCall& call) {
    auto request = read_publish(call.path_parameter(0), *call.body);
    if (!request) co_return request.error();
    const auto checked = check_idempotency_key(call);
    if (!checked) co_return checked.error();
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    request->set_request_hash(idempotency_hash(call));
    QUIRE_CO_TRY(const auto published, ports_.prompts->publish_version(call.ctx, *request));
    call.is_replayed = published.replayed();
    std::string text = json::serialize(short_json(published.version()));
    co_return co_await call.respond_json(201, std::move(text));
}

awaitable<Result<void>> GatewayApi::list_prompts(GatewayCall& call) {
    prompts::v1::ListPromptsRequest request;
    auto page = read_page(call.exchange.head(), kAfterName);
    if (!page) co_return page.error();
    *request.mutable_page() = *std::move(page);
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    QUIRE_CO_TRY(const auto listed, ports_.prompts->list_prompts(call.ctx, request));
    json::array data;
    for (const auto& prompt : listed.prompts()) data.push_back(prompt_json(prompt));
    json::object body;
    body["data"] = std::move(data);
    body["has_more"] = listed.has_more();
    std::string text = json::serialize(body);
    co_return co_await call.respond_json(200, std::move(text));
}

awaitable<Result<void>> GatewayApi::get_prompt(GatewayCall& call) {
    const auto request = read_choice(call);
    if (!request) co_return request.error();
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    QUIRE_CO_TRY(const auto found, ports_.prompts->get_prompt(call.ctx, *request));
    std::string text = json::serialize(version_json(found.version()));
    co_return co_await call.respond_json(200, std::move(text));
}

awaitable<Result<void>> GatewayApi::set_label(GatewayCall& call) {
    const auto known = check_fields(*call.body, {"version"});
    if (!known) co_return known.error();
    const auto version = read_count(*call.body, "version");
    if (!version) co_return version.error();
    if (!*version) {
        co_return Error(ErrorCode::kMissingRequiredParameter, "'version' is required")
            .with_param("version");
    }
    prompts::v1::SetLabelRequest request;
    request.set_name(call.path_parameter(0));
    request.set_label(call.path_parameter(1));
    request.set_version(**version);
    const auto named = check_word("label", request.label());
    if (!named) co_return named.error();
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    QUIRE_CO_TRY(const auto labelled, ports_.prompts->set_label(call.ctx, request));
    std::string text = json::serialize(version_json(labelled.version()));
    co_return co_await call.respond_json(200, std::move(text));
}

}  // namespace quire::gateway
