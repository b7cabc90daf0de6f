#include "providers/chat_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace quire::providers {
namespace {

using common::v1::ChatMessage;
using common::v1::ChatRequest;

constexpr std::array<std::string_view, 6> kRoles{"developer", "system", "user",
                                                 "assistant", "tool",   "function"};
constexpr std::size_t kStopsMax = 4;

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

Error bad(std::string param, std::string_view wanted) {
    return Error(ErrorCode::kInvalidValue, fmt::format("{} must be {}", param, wanted))
        .with_param(std::move(param));
}

Error missing(std::string param) {
    return Error(ErrorCode::kMissingRequiredParameter, fmt::format("'{}' is required", param))
        .with_param(std::move(param));
}

/// Everything of `object` but `known`, as one JSON object; "" when nothing is left.
template <std::size_t N>
std::string rest_of(const json::object& object, const std::array<std::string_view, N>& known) {
    std::string out;
    for (const auto& member : object) {
        const std::string_view key(member.key().data(), member.key().size());
        if (std::find(known.begin(), known.end(), key) != known.end()) continue;
        out += out.empty() ? '{' : ',';
        runtime::append_json_string(out, key);
        out += ':';
        runtime::append_json(out, member.value());
    }
    if (!out.empty()) out += '}';
    return out;
}

Result<void> read_number(const json::object& body, std::string_view name, double min, double max,
                         const std::function<void(double)>& set) {
    const json::value* value = runtime::find_member(body, name);
    if (value == nullptr) return {};
    const std::string wanted = fmt::format("a number from {} to {}", min, max);
    if (!value->is_number()) return bad(std::string(name), wanted);
    const auto number = value->to_number<double>();
    if (!std::isfinite(number) || number < min || number > max) {
        return bad(std::string(name), wanted);
    }
    set(number);
    return {};
}

Result<void> read_limit(const json::object& body, std::string_view name,
                        const std::function<void(std::int64_t)>& set) {
    const json::value* value = runtime::find_member(body, name);
    if (value == nullptr) return {};
    if (!value->is_int64() || value->get_int64() < 1) {
        return bad(std::string(name), "a whole number, at least 1");
    }
    set(value->get_int64());
    return {};
}

Result<void> read_sampling(const json::object& body, ChatRequest& chat) {
    auto read = read_number(body, "temperature", 0, 2, [&](double v) { chat.set_temperature(v); });
    if (read) read = read_number(body, "top_p", 0, 1, [&](double v) { chat.set_top_p(v); });
    if (read) {
        read = read_number(body, "presence_penalty", -2, 2,
                           [&](double v) { chat.set_presence_penalty(v); });
    }
    if (read) {
        read = read_number(body, "frequency_penalty", -2, 2,
                           [&](double v) { chat.set_frequency_penalty(v); });
    }
    if (read) read = read_limit(body, "max_tokens", [&](auto v) { chat.set_max_tokens(v); });
    if (read) {
        read = read_limit(body, "max_completion_tokens",
                          [&](auto v) { chat.set_max_completion_tokens(v); });
    }
    if (!read) return read;
    if (const json::value* seed = runtime::find_member(body, "seed")) {
        if (!seed->is_int64()) return bad("seed", "a whole number");
        chat.set_seed(seed->get_int64());
    }
    // Some servers heed these over max_tokens, so that more would be made than was held.
    for (const char* other : {"n_predict", "num_predict", "max_new_tokens", "max_output_tokens"}) {
        if (runtime::find_member(body, other) == nullptr) continue;
        return Error(
                   ErrorCode::kUnsupportedParameter,
                   fmt::format("'{}' is not taken; max_completion_tokens limits an answer", other))
            .with_param(other);
    }
    if (const json::value* n = runtime::find_member(body, "n")) {
        if (!n->is_int64() || n->get_int64() < 1 || n->get_int64() > 128) {
            return bad("n", "a whole number from 1 to 128");
        }
        if (n->get_int64() > 1) {
            return Error(ErrorCode::kUnsupportedValue,
                         "n above 1 is not offered; send the request n times")
                .with_param("n");
        }
    }
    return {};
}

Result<void> read_stop(const json::object& body, ChatRequest& chat) {
    const json::value* stop = runtime::find_member(body, "stop");
    if (stop == nullptr) return {};
    constexpr std::string_view kWanted = "a string or a list of at most 4 strings";
    if (stop->is_string()) {
        chat.add_stop(std::string(view(stop->get_string())));
        return {};
    }
    if (!stop->is_array() || stop->get_array().size() > kStopsMax) return bad("stop", kWanted);
    for (const json::value& item : stop->get_array()) {
        if (!item.is_string()) return bad("stop", kWanted);
        chat.add_stop(std::string(view(item.get_string())));
    }
    return {};
}

Result<void> read_content(const json::object& from, const std::string& where, ChatMessage& to) {
    const json::value* content = runtime::find_member(from, "content");
    if (content == nullptr) return {};
    if (content->is_string()) {
        to.set_content_is_text(true);
        to.add_parts()->set_text(std::string(view(content->get_string())));
        return {};
    }
    if (!content->is_array()) {
        return bad(where + ".content", "a string or a list of content parts");
    }
    constexpr std::array<std::string_view, 2> kTextKeys{"type", "text"};
    std::size_t index = 0;
    for (const json::value& part : content->get_array()) {
        const std::string here = fmt::format("{}.content[{}]", where, index++);
        if (!part.is_object()) return bad(here, "an object with a type");
        const json::object& object = part.get_object();
        const std::string_view type = runtime::text_member(object, "type");
        if (type.empty()) return missing(here + ".type");
        if (type != "text") {
            to.add_parts()->set_raw_json(json::serialize(part));
            continue;
        }
        const json::value* text = runtime::find_member(object, "text");
        if (text == nullptr || !text->is_string()) return bad(here + ".text", "a string");
        if (rest_of(object, kTextKeys).empty()) {
            to.add_parts()->set_text(std::string(view(text->get_string())));
        } else {
            to.add_parts()->set_raw_json(json::serialize(part));
        }
    }
    return {};
}

/// A function call of the usual fields, all of them text: nothing of it is lost when it is taken
/// apart.
bool is_plain_call(const json::object& call) {
    constexpr std::array<std::string_view, 3> kCallKeys{"id", "type", "function"};
    constexpr std::array<std::string_view, 2> kFunctionKeys{"name", "arguments"};
    const auto is_text = [](const json::object& object, std::string_view key) {
        const json::value* value = runtime::find_member(object, key);
        return value == nullptr || value->is_string();
    };
    const json::value* function = runtime::find_member(call, "function");
    return function != nullptr && function->is_object() && rest_of(call, kCallKeys).empty() &&
           rest_of(function->get_object(), kFunctionKeys).empty() && is_text(call, "id") &&
           is_text(call, "type") && is_text(function->get_object(), "name") &&
           is_text(function->get_object(), "arguments");
}

Result<void> read_tool_calls(const json::object& from, const std::string& where, ChatMessage& to) {
    const json::value* calls = runtime::find_member(from, "tool_calls");
    if (calls == nullptr) return {};
    if (!calls->is_array()) return bad(where + ".tool_calls", "a list");
    for (const json::value& item : calls->get_array()) {
        if (!item.is_object()) return bad(where + ".tool_calls", "a list of objects");
        const json::object& call = item.get_object();
        auto& out = *to.add_tool_calls();
        out.set_id(std::string(runtime::text_member(call, "id")));
        out.set_type(std::string(runtime::text_member(call, "type")));
        if (!is_plain_call(call)) {
            out.set_raw_json(json::serialize(item));
            continue;
        }
        const json::object& function = call.at("function").get_object();
        out.set_name(std::string(runtime::text_member(function, "name")));
        out.set_arguments(std::string(runtime::text_member(function, "arguments")));
    }
    return {};
}

Result<void> read_message(const json::value& value, const std::string& where, ChatMessage& to) {
    if (!value.is_object()) return bad(where, "an object with role and content");
    const json::object& from = value.get_object();
    if (runtime::find_member(from, "role") == nullptr) return missing(where + ".role");
    const std::string_view role = runtime::text_member(from, "role");
    if (std::find(kRoles.begin(), kRoles.end(), role) == kRoles.end()) {
        return bad(where + ".role", fmt::format("one of {}", fmt::join(kRoles, ", ")));
    }
    to.set_role(std::string(role));
    auto read = read_content(from, where, to);
    if (read) read = read_tool_calls(from, where, to);
    if (!read) return read;
    if (to.parts().empty() && role != "assistant") {
        const bool is_empty_list = runtime::find_member(from, "content") != nullptr;
        if (is_empty_list) return bad(where + ".content", "a string or at least one part");
        return missing(where + ".content");
    }
    for (const std::string_view key : {"tool_call_id", "name"}) {
        const json::value* text = runtime::find_member(from, key);
        if (text != nullptr && !text->is_string()) {
            return bad(fmt::format("{}.{}", where, key), "a string");
        }
    }
    to.set_tool_call_id(std::string(runtime::text_member(from, "tool_call_id")));
    to.set_name(std::string(runtime::text_member(from, "name")));
    constexpr std::array<std::string_view, 5> kKnown{"role", "content", "tool_calls",
                                                     "tool_call_id", "name"};
    to.set_extra_json(rest_of(from, kKnown));
    return {};
}

Result<void> read_messages(const json::object& body, ChatRequest& chat) {
    const json::value* messages = runtime::find_member(body, "messages");
    if (messages == nullptr) return missing("messages");
    if (!messages->is_array() || messages->get_array().empty()) {
        return bad("messages", "a list of at least one message");
    }
    std::size_t index = 0;
    for (const json::value& message : messages->get_array()) {
        const auto read =
            read_message(message, fmt::format("messages[{}]", index++), *chat.add_messages());
        if (!read) return read;
    }
    return {};
}

}  // namespace

Result<ChatRequest> read_chat_request(const json::object& body) {
    ChatRequest chat;
    const json::value* model = runtime::find_member(body, "model");
    if (model == nullptr) return missing("model");
    if (!model->is_string() || model->get_string().empty()) return bad("model", "a model's name");
    chat.set_model(std::string(view(model->get_string())));
    auto read = read_messages(body, chat);
    if (read) read = read_sampling(body, chat);
    if (read) read = read_stop(body, chat);
    if (!read) return read.error();
    const auto raw = [&body](std::string_view name) -> std::string {
        const json::value* value = runtime::find_member(body, name);
        return value == nullptr ? "" : json::serialize(*value);
    };
    if (const json::value* tools = runtime::find_member(body, "tools")) {
        if (!tools->is_array()) return bad("tools", "a list");
    }
    if (const json::value* format = runtime::find_member(body, "response_format")) {
        if (!format->is_object()) return bad("response_format", "an object with a type");
    }
    if (const json::value* choice = runtime::find_member(body, "tool_choice")) {
        if (!choice->is_string() && !choice->is_object()) {
            return bad("tool_choice", "none, auto, required or an object");
        }
    }
    chat.set_tools_json(raw("tools"));
    chat.set_tool_choice_json(raw("tool_choice"));
    chat.set_response_format_json(raw("response_format"));
    constexpr std::array<std::string_view, 16> kKnown{"model",
                                                      "messages",
                                                      "temperature",
                                                      "top_p",
                                                      "presence_penalty",
                                                      "frequency_penalty",
                                                      "max_tokens",
                                                      "max_completion_tokens",
                                                      "stop",
                                                      "seed",
                                                      "tools",
                                                      "tool_choice",
                                                      "response_format",
                                                      "n",
                                                      "stream",
                                                      "stream_options"};
    chat.set_extra_json(rest_of(body, kKnown));
    return chat;
}

bool is_text_part(std::string_view raw_json) {
    const auto part = runtime::parse_json(raw_json);
    if (!part || !part->is_object()) return true;
    const std::string_view type = runtime::text_member(part->get_object(), "type");
    return type == "text" || type == "input_text" || type == "output_text" || type == "refusal";
}

}  // namespace quire::providers
