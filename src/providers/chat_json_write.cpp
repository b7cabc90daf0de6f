#include "providers/chat_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace quire::providers {
namespace {

using common::v1::ChatMessage;
using common::v1::ChatRequest;

/// Writes one JSON object member by member.
class ObjectWriter {
public:
    explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
    void end() { out_ += '}'; }

    void text(std::string_view key, std::string_view value) {
        name(key);
        runtime::append_json_string(out_, value);
    }
    void raw(std::string_view key, std::string_view json) {
        name(key);
        out_ += json;
    }
    template <class Number>
    void number(std::string_view key, Number value) {
        name(key);
        fmt::format_to(std::back_inserter(out_), "{}", value);
    }
    /// The members of a JSON object that is text already.
    void splice(std::string_view object) {
        if (object.size() <= 2) return;
        separate();
        out_ += object.substr(1, object.size() - 2);
    }
    void name(std::string_view key) {
        separate();
        runtime::append_json_string(out_, key);
        out_ += ':';
    }

private:
    void separate() {
        if (!std::exchange(is_first_, false)) out_ += ',';
    }

    std::string& out_;
    bool is_first_ = true;
};

void write_content(const ChatMessage& message, std::string& out) {
    if (message.content_is_text()) {
        runtime::append_json_string(out, message.parts(0).text());
        return;
    }
    out += '[';
    for (int i = 0; i < message.parts_size(); ++i) {
        if (i > 0) out += ',';
        const auto& part = message.parts(i);
        if (part.has_raw_json()) {
            out += part.raw_json();
            continue;
        }
        ObjectWriter object(out);
        object.text("type", "text");
        object.text("text", part.text());
        object.end();
    }
    out += ']';
}

void write_tool_calls(const ChatMessage& message, std::string& out) {
    out += '[';
    for (int i = 0; i < message.tool_calls_size(); ++i) {
        if (i > 0) out += ',';
        const auto& call = message.tool_calls(i);
        if (!call.raw_json().empty()) {
            out += call.raw_json();
            continue;
        }
        ObjectWriter object(out);
        object.text("id", call.id());
        object.text("type", call.type().empty() ? "function" : call.type());
        object.name("function");
        ObjectWriter function(out);
        function.text("name", call.name());
        function.text("arguments", call.arguments());
        function.end();
        object.end();
    }
    out += ']';
}

void write_message(const ChatMessage& message, std::string& out) {
    ObjectWriter object(out);
    object.text("role", message.role());
    if (message.parts_size() > 0) {
        object.name("content");
        write_content(message, out);
    } else {
        object.raw("content", "null");
    }
    if (message.tool_calls_size() > 0) {
        object.name("tool_calls");
        write_tool_calls(message, out);
    }
    if (!message.tool_call_id().empty()) object.text("tool_call_id", message.tool_call_id());
    if (!message.name().empty()) object.text("name", message.name());
    object.splice(message.extra_json());
    object.end();
}

void write_limit(const ChatRequest& chat, const UpstreamBody& upstream, ObjectWriter& object) {
    std::int64_t limit = upstream.max_output_tokens;
    std::string_view field = "max_tokens";
    if (chat.has_max_completion_tokens()) {
        field = "max_completion_tokens";
        limit = chat.max_completion_tokens();
    } else if (chat.has_max_tokens()) {
        limit = chat.max_tokens();
    }
    if (!upstream.max_tokens_field.empty()) field = upstream.max_tokens_field;
    if (limit > 0) object.number(field, limit);
}

/// The extras without what is ours to write: of a field that comes twice each provider reads
/// another one.
std::string extras_of(const ChatRequest& chat, std::string_view limit_field) {
    const std::string& extras = chat.extra_json();
    const std::array<std::string, 3> ours{"stream", "stream_options", std::string(limit_field)};
    const bool is_clean = std::none_of(ours.begin(), ours.end(), [&](const std::string& name) {
        return !name.empty() && extras.find('"' + name + '"') != std::string::npos;
    });
    if (is_clean) return extras;
    auto parsed = runtime::parse_json(extras);
    if (!parsed || !parsed->is_object()) return "";
    for (const std::string& name : ours) parsed->get_object().erase(name);
    return json::serialize(*parsed);
}

}  // namespace

std::string write_chat_request(const ChatRequest& chat, const UpstreamBody& upstream) {
    std::string out;
    out.reserve(1024);
    ObjectWriter object(out);
    object.text("model", upstream.model);
    object.name("messages");
    for (int i = 0; i < chat.messages_size(); ++i) {
        out += i == 0 ? '[' : ',';
        write_message(chat.messages(i), out);
    }
    out += ']';
    if (chat.has_temperature()) object.number("temperature", chat.temperature());
    if (chat.has_top_p()) object.number("top_p", chat.top_p());
    if (chat.has_presence_penalty()) object.number("presence_penalty", chat.presence_penalty());
    if (chat.has_frequency_penalty()) object.number("frequency_penalty", chat.frequency_penalty());
    write_limit(chat, upstream, object);
    if (chat.stop_size() > 0) {
        object.name("stop");
        for (int i = 0; i < chat.stop_size(); ++i) {
            out += i == 0 ? '[' : ',';
            runtime::append_json_string(out, chat.stop(i));
        }
        out += ']';
    }
    if (chat.has_seed()) object.number("seed", chat.seed());
    if (!chat.tools_json().empty()) object.raw("tools", chat.tools_json());
    if (!chat.tool_choice_json().empty()) object.raw("tool_choice", chat.tool_choice_json());
    if (!chat.response_format_json().empty()) {
        object.raw("response_format", chat.response_format_json());
    }
    object.splice(extras_of(chat, upstream.max_tokens_field));
    object.raw("stream", "true");
    object.raw("stream_options", R"({"include_usage":true})");
    object.end();
    return out;
}

std::string plain_text_of(const ChatRequest& chat) {
    std::string text;
    for (const ChatMessage& message : chat.messages()) {
        text += message.role();
        text += ':';
        for (const auto& part : message.parts()) {
            text += ' ';
            text += part.has_raw_json() ? part.raw_json() : part.text();
        }
        text += '\n';
    }
    return text;
}

}  // namespace quire::providers
