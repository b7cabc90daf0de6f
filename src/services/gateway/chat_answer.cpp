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
void merge_logprobs(std::string& all, std::string_view piece) {
    if (all.empty()) {
        all = piece;
        return;
    }
    auto merged = runtime::parse_json(all);
    auto added = runtime::parse_json(piece);
    if (!merged || !added || !merged->is_object() || !added->is_object()) return;
    json::value* list = merged->get_object().if_contains("content");
    json::value* more = added->get_object().if_contains("content");
    if (list == nullptr || more == nullptr || !list->is_array() || !more->is_array()) return;
    for (json::value& item : more->get_array()) list->get_array().push_back(item);
    all = json::serialize(*merged);
}

}  // namespace

awaitable<Result<void>> ChatAnswer::write(const common::v1::ChatEvent& event) {
    if (event.has_started()) {
        steps_ = event.started().steps();
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
    if (!delta.logprobs_json().empty()) merge_logprobs(logprobs_, delta.logprobs_json());
}

awaitable<Result<void>> ChatAnswer::respond(GatewayCall& call, const ChatIdentity& identity) {
    http::Response response;
    response.content_type = "application/json";
    response.body = body(identity);
    call.add_headers(response, steps_);
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
    out += logprobs_.empty() ? "null" : logprobs_;
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
