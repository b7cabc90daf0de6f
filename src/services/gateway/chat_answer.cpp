#include "services/gateway/chat_answer.hpp"

#include "runtime/json.hpp"

#include <fmt/format.h>

namespace quire::gateway {
namespace {

using common::v1::Channel;
using runtime::append_json_string;

void append_text_or_null(std::string& out, std::string_view text, bool is_null) {
    if (is_null) {
        out += "null";
    } else {
        append_json_string(out, text);
    }
}

/// Providers send logprobs piece by piece as {"content":[…]}: the lists become one.
std::string merged_logprobs(const std::vector<std::string>& pieces) {
    if (pieces.empty()) return "null";
    if (pieces.size() == 1) return pieces.front();
    json::object all;
    json::array list;
    for (const std::string& piece : pieces) {
        auto parsed = runtime::parse_json(piece);
        if (!parsed || !parsed->is_object()) continue;
        json::object& object = parsed->get_object();
        json::value* content = object.if_contains("content");
        if (content != nullptr && content->is_array()) {
            for (json::value& item : content->get_array()) list.push_back(std::move(item));
        }
        if (all.empty()) all = std::move(object);
    }
    if (!list.empty()) all["content"] = std::move(list);
    return json::serialize(all);
}

}  // namespace

awaitable<Result<void>> ChatAnswer::write(const common::v1::ChatEvent& event) {
    if (event.has_started()) {
        started_ = event.started();
    } else if (event.has_delta()) {
        add(event.delta());
    } else {
        finished_ = event.finished();
    }
    co_return Result<void>();
}

void ChatAnswer::add(const common::v1::Delta& delta) {
    if (delta.has_tool_call()) {
        const auto& piece = delta.tool_call();
        common::v1::ToolCall& call = tool_calls_[piece.index()];
        if (!piece.id().empty()) call.set_id(piece.id());
        if (!piece.type().empty()) call.set_type(piece.type());
        if (!piece.name().empty()) call.set_name(piece.name());
        call.mutable_arguments()->append(piece.arguments());
        return;
    }
    switch (delta.channel()) {
        case Channel::REASONING:
            reasoning_ += delta.text();
            break;
        case Channel::REFUSAL:
            refusal_ += delta.text();
            break;
        default:
            content_ += delta.text();
    }
    if (!delta.logprobs_json().empty()) logprobs_.push_back(delta.logprobs_json());
}

awaitable<Result<void>> ChatAnswer::respond(GatewayCall& call, const ChatIdentity& identity) {
    http::Response response;
    response.content_type = "application/json";
    response.body = body(identity_of(started_, identity));
    call.add_headers(response, started_.steps());
    if (!started_.replay_of().empty()) {
        add_replay_headers(response);
    } else if (finished_.has_cost()) {
        response.headers.emplace_back("x-quire-cost", fmt::to_string(finished_.cost().amount()));
    }
    co_return co_await call.exchange.respond(std::move(response));
}

std::string ChatAnswer::body(const ChatIdentity& identity) const {
    std::string out;
    out.reserve(512 + content_.size());
    fmt::format_to(std::back_inserter(out),
                   R"({{"id":"{}","object":"chat.completion","created":{},"model":)", identity.id,
                   identity.created);
    append_json_string(out, identity.model);
    out += R"(,"choices":[{"index":0,"message":{"role":"assistant","content":)";
    const bool is_null = content_.empty() && (!tool_calls_.empty() || !refusal_.empty());
    append_text_or_null(out, content_, is_null);
    out += R"(,"refusal":)";
    append_text_or_null(out, refusal_, refusal_.empty());
    if (!reasoning_.empty()) {
        out += R"(,"reasoning_content":)";
        append_json_string(out, reasoning_);
    }
    if (!tool_calls_.empty()) {
        out += R"(,"tool_calls":)";
        char separator = '[';
        for (const auto& [index, tool_call] : tool_calls_) {
            out += std::exchange(separator, ',');
            append_tool_call_json(out, tool_call);
        }
        out += ']';
    }
    out += R"(},"logprobs":)";
    out += merged_logprobs(logprobs_);
    out += R"(,"finish_reason":)";
    append_json_string(out, finished_.finish_reason());
    out += "}]";
    if (finished_.has_usage()) {
        out += R"(,"usage":)";
        append_usage_json(out, finished_.usage());
    }
    out += '}';
    return out;
}

}  // namespace quire::gateway
