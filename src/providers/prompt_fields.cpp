#include "providers/prompt_fields.hpp"

#include "base/text.hpp"
#include "base/words.hpp"
#include "providers/chat_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace quire::providers {
namespace {

constexpr std::size_t kMessagesMax = 64;
constexpr std::size_t kLabelsMax = 20;
constexpr std::size_t kVersionBytesMax = 256 * 1024;
constexpr std::size_t kModelMax = 256;
constexpr std::array<std::string_view, 4> kRoles{"system", "developer", "user", "assistant"};
constexpr std::array<std::string_view, 8> kParameters{
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "max_output_tokens",
    "stop",        "seed",  "response_format"};

Error bad(std::string param, std::string_view why) {
    return Error(ErrorCode::kInvalidValue, fmt::format("{}: {}", param, why))
        .with_param(std::move(param));
}

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& all, std::string_view one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

Result<void> check_model(std::string_view model) {
    if (model.size() <= kModelMax) return {};
    return bad("/model", fmt::format("may have {} bytes", kModelMax));
}

Result<void> check_messages(const std::vector<PromptFields::Message>& messages) {
    if (messages.empty() || messages.size() > kMessagesMax) {
        return bad("/messages", fmt::format("must have 1 to {} messages", kMessagesMax));
    }
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        if (!is_one_of(kRoles, messages[i].role)) {
            return bad(fmt::format("/messages/{}/role", i),
                       fmt::format("must be one of {}", fmt::join(kRoles, ", ")));
        }
        bytes += messages[i].content.size();
    }
    if (bytes <= kVersionBytesMax) return {};
    return bad("/messages", fmt::format("may have {} bytes in all", kVersionBytesMax));
}

Result<void> check_parameter_names(const json::object& parameters) {
    for (const auto& member : parameters) {
        const std::string_view key(member.key().data(), member.key().size());
        if (is_one_of(kParameters, key)) continue;
        return Error(ErrorCode::kUnsupportedParameter,
                     fmt::format("unknown parameter '{}'; the parameters are {}", excerpt(key),
                                 fmt::join(kParameters, ", ")))
            .with_param(excerpt("/parameters/" + runtime::pointer_step(key)));
    }
    return {};
}

/// Their values are those of a chat, and read by the same reader.
Result<void> check_parameters(std::string_view text) {
    if (text.empty()) return {};
    const auto parsed = runtime::parse_json(text);
    if (!parsed) return parsed.error();
    if (!parsed->is_object()) return bad("/parameters", "must be an object");
    const auto known = check_parameter_names(parsed->get_object());
    if (!known) return known;
    QUIRE_TRY(json::object chat, chat_with_parameters(text));
    chat["model"] = "any";
    json::object message;
    message["role"] = "user";
    message["content"] = "";
    json::array messages;
    messages.push_back(std::move(message));
    chat["messages"] = std::move(messages);
    const auto read = read_chat_request(chat);
    if (read) return {};
    std::string param(read.error().detail("param"));
    if (param == "max_tokens") param = "max_output_tokens";
    return Error(read.error().code(), read.error().message()).with_param("/parameters/" + param);
}

Result<void> check_labels(const std::vector<std::string_view>& labels) {
    if (labels.size() > kLabelsMax) {
        return bad("/labels", fmt::format("may name up to {} labels", kLabelsMax));
    }
    for (const std::string_view label : labels) {
        const auto checked = check_word("labels", label);
        if (!checked) return checked;
    }
    return {};
}

}  // namespace

Result<void> check_prompt_fields(const PromptFields& fields) {
    auto done = check_word("name", fields.name);
    if (done) done = check_model(fields.model);
    if (done) done = check_messages(fields.messages);
    if (done) done = check_parameters(fields.parameters_json);
    if (done) done = check_labels(fields.labels);
    return done;
}

Result<json::object> chat_with_parameters(std::string_view parameters_json) {
    QUIRE_TRY(json::value parsed, runtime::parse_json(parameters_json));
    json::object& chat = parsed.get_object();
    if (const json::value* limit = runtime::find_member(chat, "max_output_tokens")) {
        chat["max_tokens"] = json::value(*limit);
        chat.erase("max_output_tokens");
    }
    return std::move(chat);
}

}  // namespace quire::providers
