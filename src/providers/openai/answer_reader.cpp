#include "providers/openai/answer_reader.hpp"

#include "base/text.hpp"
#include "providers/openai/upstream_error.hpp"
#include "runtime/config/values.hpp"
#include "runtime/http/headers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace quire::providers {
namespace {

using common::v1::Channel;
using runtime::find_member;
using runtime::text_member;

constexpr std::int64_t kTokensMax = 1LL << 40;

struct Reason {
    std::string_view told;     ///< in any case
    std::string_view meaning;  ///< OpenAI's; "" is no end of an answer but its failure
};
/// Of the reasons that servers tell, those that do not mean `stop`.
constexpr std::array kReasons{
    Reason{"length", "length"},
    Reason{"max_tokens", "length"},
    Reason{"model_length", "length"},
    Reason{"tool_calls", "tool_calls"},
    Reason{"tool_use", "tool_calls"},
    Reason{"content_filter", "content_filter"},
    Reason{"safety", "content_filter"},
    Reason{"recitation", "content_filter"},
    Reason{"function_call", "function_call"},
    Reason{"error", ""},
    Reason{"abort", ""},
    Reason{"insufficient_system_resource", ""},
};

std::string_view meaning_of(std::string_view reason) {
    for (const Reason& known : kReasons) {
        if (http::equals_ignoring_case(reason, known.told)) return known.meaning;
    }
    return "stop";
}

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

/// Of content as text, or as a list of parts: the texts of the parts of one type. Reasoning stands
/// as `{"type":"thinking","thinking":[{"type":"text","text":"…"}]}` among them.
std::string text_of_parts(const json::value& content, std::string_view type) {
    if (content.is_string() && type == "text") {
        return std::string(std::string_view(content.get_string()));
    }
    std::string text;
    if (!content.is_array()) return text;
    for (const json::value& part : content.get_array()) {
        if (!part.is_object() || text_member(part.get_object(), "type") != type) continue;
        const json::value* member = find_member(part.get_object(), type);
        if (member != nullptr) text += text_of_parts(*member, "text");
    }
    return text;
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
    return reason.empty() ? Result<void>() : end_with(reason);
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
    is_done_ = true;
    return end_with(reason.empty() ? "stop" : reason);
}

Result<void> AnswerReader::end_with(std::string_view reason) {
    completion_.finish_reason = meaning_of(reason);
    if (has_finished()) return {};
    return Error(ErrorCode::kUpstreamError,
                 fmt::format("the provider ended its answer with '{}'", excerpt(reason)));
}

bool AnswerReader::add_text(Channel channel, std::string text) {
    if (text.empty()) return false;
    auto& delta = deltas_.emplace_back();
    delta.set_channel(channel);
    delta.set_text(std::move(text));
    return true;
}

void AnswerReader::read_piece(const json::object& piece, const json::value* logprobs) {
    const std::string_view reasoning = text_member(piece, "reasoning_content");
    const auto& thought = reasoning.empty() ? text_member(piece, "reasoning") : reasoning;
    add_text(Channel::REASONING, std::string(thought));
    const json::value* content = find_member(piece, "content");
    if (content != nullptr) add_text(Channel::REASONING, text_of_parts(*content, "thinking"));
    const bool has_content =
        content != nullptr && add_text(Channel::CONTENT, text_of_parts(*content, "text"));
    if (has_content && logprobs != nullptr) {
        deltas_.back().set_logprobs_json(json::serialize(*logprobs));
    }
    add_text(Channel::REFUSAL, std::string(text_member(piece, "refusal")));
    if (const json::value* calls = find_member(piece, "tool_calls")) {
        tool_calls_.read(*calls, deltas_);
    }
}

Completion AnswerReader::completion() const {
    Completion out = completion_;
    // Agents go on by it: with `stop` they would never make the calls.
    if (tool_calls_.has_calls() && out.finish_reason == "stop") out.finish_reason = "tool_calls";
    return out;
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
