#include "services/prompts/prompt_version.hpp"

#include "providers/chat_json.hpp"
#include "services/prompts/template/renderer.hpp"
#include "services/prompts/template/template.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace quire::prompts {
namespace {

using common::v1::ChatRequest;

constexpr std::size_t kWordMax = 64;
constexpr int kMessagesMax = 64;
constexpr int kLabelsMax = 20;
constexpr std::size_t kVersionBytesMax = 256 * 1024;
constexpr std::size_t kRenderedBytesMax = 4 * 1024 * 1024;
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

/// Published and rendered requests are read by the same reader as a client's own.
Result<ChatRequest> read_chat(const PromptVersion& version,
                              const std::vector<std::string>& contents) {
    QUIRE_TRY(json::value body, runtime::parse_json(version.parameters));
    json::object& object = body.get_object();
    if (const json::value* limit = runtime::find_member(object, "max_output_tokens")) {
        object["max_tokens"] = json::value(*limit);
        object.erase("max_output_tokens");
    }
    // The reader wants a name; an open choice is made by the caller.
    object["model"] = version.model.empty() ? "any" : version.model;
    json::array messages;
    for (std::size_t i = 0; i < contents.size(); ++i) {
        json::object message;
        message["role"] = version.messages[i].role;
        message["content"] = contents[i];
        messages.push_back(std::move(message));
    }
    object["messages"] = std::move(messages);
    QUIRE_TRY(ChatRequest chat, providers::read_chat_request(object));
    chat.set_model(version.model);
    return chat;
}

Result<void> check_parameters(PromptVersion& version, const std::string& text) {
    if (text.empty()) return {};
    auto parsed = runtime::parse_json(text);
    if (!parsed) return parsed.error();
    if (!parsed->is_object()) return bad("/parameters", "must be an object");
    for (const auto& member : parsed->get_object()) {
        const std::string_view key(member.key().data(), member.key().size());
        if (is_one_of(kParameters, key)) continue;
        return Error(ErrorCode::kUnsupportedParameter,
                     fmt::format("unknown parameter '{}'; the parameters are {}", key,
                                 fmt::join(kParameters, ", ")))
            .with_param("/parameters/" + runtime::pointer_step(key));
    }
    version.parameters = json::serialize(*parsed);
    const auto read = read_chat(version, std::vector<std::string>(version.messages.size()));
    if (read) return {};
    std::string param(read.error().detail("param"));
    if (param == "max_tokens") param = "max_output_tokens";
    return Error(read.error().code(), read.error().message()).with_param("/parameters/" + param);
}

Result<void> take_messages(const v1::PublishVersionRequest& request, PromptVersion& version) {
    if (request.messages_size() < 1 || request.messages_size() > kMessagesMax) {
        return bad("/messages", fmt::format("must have 1 to {} messages", kMessagesMax));
    }
    std::set<std::string> variables;
    std::size_t bytes = 0;
    for (int i = 0; i < request.messages_size(); ++i) {
        const v1::PromptMessage& message = request.messages(i);
        if (!is_one_of(kRoles, message.role())) {
            return bad(fmt::format("/messages/{}/role", i),
                       fmt::format("must be one of {}", fmt::join(kRoles, ", ")));
        }
        bytes += message.content().size();
        if (bytes > kVersionBytesMax) {
            return bad("/messages", fmt::format("may have {} bytes in all", kVersionBytesMax));
        }
        auto compiled = Template::compile(message.content());
        if (!compiled) {
            Error error = compiled.error();
            if (error.detail("param").empty()) {
                error.add_detail("param", fmt::format("/messages/{}/content", i));
            }
            return error;
        }
        variables.insert(compiled->variables().begin(), compiled->variables().end());
        version.messages.push_back({message.role(), message.content()});
    }
    version.variables.assign(variables.begin(), variables.end());
    return {};
}

Result<void> take_labels(const v1::PublishVersionRequest& request, PromptVersion& version) {
    if (request.labels_size() > kLabelsMax) {
        return bad("/labels", fmt::format("may name up to {} labels", kLabelsMax));
    }
    for (const std::string& label : request.labels()) {
        const auto checked = check_word("labels", label);
        if (!checked) return checked.error();
    }
    const std::set<std::string> labels(request.labels().begin(), request.labels().end());
    version.labels.assign(labels.begin(), labels.end());
    return {};
}

}  // namespace

Result<void> check_word(std::string_view what, const std::string& word) {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
    if (!word.empty() && word.size() <= kWordMax &&
        word.find_first_not_of(kLetters) == std::string::npos) {
        return {};
    }
    return Error(ErrorCode::kInvalidValue,
                 fmt::format("{}: '{}' must be 1 to {} of a-z, 0-9, '_', '.' and '-'", what,
                             word.substr(0, kWordMax), kWordMax))
        .with_param(std::string(what));
}

Result<PromptVersion> version_of(const v1::PublishVersionRequest& request) {
    PromptVersion version;
    version.name = request.name();
    auto done = check_word("name", version.name);
    if (done && request.model().size() > kModelMax) {
        done = bad("/model", fmt::format("may have {} bytes", kModelMax));
    }
    version.model = request.model();
    if (done) done = take_messages(request, version);
    if (done) done = check_parameters(version, request.parameters_json());
    if (done) done = take_labels(request, version);
    if (!done) return done.error();
    return version;
}

Result<ChatRequest> render(const PromptVersion& version, const json::object& variables) {
    Renderer rendering(TemplateLimits{}, variables);
    std::vector<std::string> contents;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < version.messages.size(); ++i) {
        const std::string where =
            fmt::format("message {} of {} version {}", i, version.name, version.version);
        auto compiled = Template::compile(version.messages[i].content);
        if (!compiled) return Error(compiled.error()).in(where);
        auto text = compiled->render(rendering);
        if (!text) return Error(text.error()).in(where);
        bytes += text->size();
        if (bytes > kRenderedBytesMax) {
            return Error(
                ErrorCode::kTemplateError,
                fmt::format("{}: the messages may have {} bytes in all", where, kRenderedBytesMax));
        }
        contents.push_back(*std::move(text));
    }
    return read_chat(version, contents);
}

v1::PromptVersion to_message(const PromptVersion& version) {
    v1::PromptVersion out;
    out.set_name(version.name);
    out.set_version(version.version);
    out.mutable_labels()->Add(version.labels.begin(), version.labels.end());
    out.mutable_variables()->Add(version.variables.begin(), version.variables.end());
    out.set_created_at_us(version.created_at.micros);
    for (const PromptMessage& message : version.messages) {
        auto& to = *out.add_messages();
        to.set_role(message.role);
        to.set_content(message.content);
    }
    out.set_model(version.model);
    out.set_parameters_json(version.parameters);
    return out;
}

}  // namespace quire::prompts
