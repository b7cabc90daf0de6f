#include "providers/openai/answer_reader.hpp"

#include "providers/openai/upstream_error.hpp"
#include "runtime/config/values.hpp"

#include <fmt/format.h>

#include <array>

namespace quire::providers {
namespace {

using common::v1::Channel;
using runtime::find_member;
using runtime::text_member;

constexpr std::int64_t kTokensMax = 1LL << 40;

Error garbage(std::string_view what) {
    return {ErrorCode::kUpstreamError, fmt::format("not a chat completion: {}", what)};
}

/// A count, or nullopt for what no provider can mean (negative, absurd, not a number).
std::optional<std::int64_t> tokens_member(const json::object& object, std::string_view key) {
    const auto count = runtime::int_member(object, key);
    if (!count || *count < 0 || *count > kTokensMax) return std::nullopt;
    return count;
}

/// The status with which the request would have been refused, 0 where the error names none.
int status_named(const json::object& error) {
    std::int64_t number = runtime::int_member(error, "code").value_or(0);
    const auto in_text = config::parse_integer(text_member(error, "code"));
    if (in_text) number = *in_text;
    return number >= 400 && number < 500 ? static_cast<int>(number) : 0;
}

const json::object* first_choice(const json::object& body) {
    const json::value* choices = find_member(body, "choices");
    if (choices == nullptr || !choices->is_array()) return nullptr;
    for (const json::value& choice : choices->get_array()) {
        if (choice.is_object() &&
            runtime::int_member(choice.get_object(), "index").value_or(0) == 0) {
            return &choice.get_object();
        }
    }
    return nullptr;
}

}  // namespace

Result<const json::object*> AnswerReader::object_of(const Result<json::value>& parsed,
                                                    std::string_view text) const {
    if (!parsed) return garbage(parsed.error().message());
    if (!parsed->is_object()) return garbage("the JSON is no object");
    const json::object& body = parsed->get_object();
    const json::value* error = find_member(body, "error");
    if (error == nullptr) return &body;
    const int status = error->is_object() ? status_named(error->get_object()) : 0;
    if (status != 0 && !has_content_) {
        return to_error({status, "", "", text, {secrets_.begin(), secrets_.end()}}, Timestamp());
    }
    // Its words may quote the prompt, and this message is logged.
    const std::string_view code =
        error->is_object() ? text_member(error->get_object(), "code") : "";
    return Error(ErrorCode::kUpstreamError,
                 fmt::format("the provider reported an error '{}'", code.substr(0, 60)));
}

Result<void> AnswerReader::read_event(std::string_view data) {
    deltas_.clear();
    if (data == "[DONE]") {
        is_done_ = true;
        return {};
    }
    std::array<unsigned char, 4096> arena;
    json::monotonic_resource resource(arena.data(), arena.size());
    const auto parsed = runtime::parse_json(data, &resource);
    QUIRE_TRY(const json::object* const body, object_of(parsed, data));
    read_usage(*body);
    const json::object* choice = first_choice(*body);
    if (choice == nullptr) return {};
    const json::value* delta = find_member(*choice, "delta");
    if (delta != nullptr && delta->is_object()) {
        read_piece(delta->get_object(), find_member(*choice, "logprobs"));
        has_content_ = has_content_ || !deltas_.empty();
    }
    const std::string_view reason = text_member(*choice, "finish_reason");
    if (!reason.empty()) completion_.finish_reason = reason;
    return {};
}

Result<void> AnswerReader::read_whole(std::string_view body_text) {
    deltas_.clear();
    const auto parsed = runtime::parse_json(body_text);
    QUIRE_TRY(const json::object* const body, object_of(parsed, body_text));
    read_usage(*body);
    const json::object* choice = first_choice(*body);
    if (choice == nullptr) return garbage("it has no choices");
    const json::value* message = find_member(*choice, "message");
    if (message == nullptr || !message->is_object()) return garbage("the choice has no message");
    read_piece(message->get_object(), find_member(*choice, "logprobs"));
    const std::string_view reason = text_member(*choice, "finish_reason");
    completion_.finish_reason = reason.empty() ? "stop" : reason;
    is_done_ = true;
    return {};
}

void AnswerReader::read_piece(const json::object& piece, const json::value* logprobs) {
    const auto add_text = [&](std::string_view key, Channel channel) {
        const std::string_view text = text_member(piece, key);
        if (text.empty()) return false;
        auto& delta = deltas_.emplace_back();
        delta.set_channel(channel);
        delta.set_text(text.data(), text.size());
        return true;
    };
    if (!add_text("reasoning_content", Channel::REASONING)) {
        add_text("reasoning", Channel::REASONING);
    }
    const bool has_content = add_text("content", Channel::CONTENT);
    if (has_content && logprobs != nullptr) {
        deltas_.back().set_logprobs_json(json::serialize(*logprobs));
    }
    add_text("refusal", Channel::REFUSAL);
    if (const json::value* calls = find_member(piece, "tool_calls")) read_tool_calls(*calls);
}

void AnswerReader::read_tool_calls(const json::value& calls) {
    if (!calls.is_array()) return;
    std::int64_t position = 0;
    for (const json::value& item : calls.get_array()) {
        if (!item.is_object()) continue;
        const json::object& from = item.get_object();
        auto& delta = deltas_.emplace_back();
        delta.set_channel(Channel::TOOL_CALL);
        auto& call = *delta.mutable_tool_call();
        const auto index = runtime::int_member(from, "index").value_or(position++);
        call.set_index(static_cast<std::int32_t>(index));
        call.set_id(std::string(text_member(from, "id")));
        call.set_type(std::string(text_member(from, "type")));
        const json::value* function = find_member(from, "function");
        if (function == nullptr || !function->is_object()) continue;
        call.set_name(std::string(text_member(function->get_object(), "name")));
        call.set_arguments(std::string(text_member(function->get_object(), "arguments")));
        // Streams of some servers leave the type out; clients need it with the first piece.
        if (!call.name().empty() && call.type().empty()) call.set_type("function");
    }
}

void AnswerReader::read_usage(const json::object& body) {
    const json::value* value = find_member(body, "usage");
    if (value == nullptr || !value->is_object()) return;
    const json::object& from = value->get_object();
    const auto input = tokens_member(from, "prompt_tokens");
    const auto output = tokens_member(from, "completion_tokens");
    if (!input || !output) return;
    common::v1::Usage usage;
    usage.set_input_tokens(*input);
    usage.set_output_tokens(*output);
    const auto detail = [&](std::string_view group, std::string_view key) {
        const json::value* details = find_member(from, group);
        if (details == nullptr || !details->is_object()) return std::optional<std::int64_t>();
        return tokens_member(details->get_object(), key);
    };
    if (const auto cached = detail("prompt_tokens_details", "cached_tokens")) {
        usage.set_cached_tokens(*cached);
    }
    if (const auto reasoning = detail("completion_tokens_details", "reasoning_tokens")) {
        usage.set_reasoning_tokens(*reasoning);
        // Some count reasoning beside the completion: it is in the total then.
        const auto total = tokens_member(from, "total_tokens");
        if (*reasoning > 0 && total && *total == *input + *output + *reasoning) {
            usage.set_output_tokens(*output + *reasoning);
        }
    }
    completion_.usage = std::move(usage);
}

}  // namespace quire::providers
