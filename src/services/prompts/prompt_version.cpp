#include "services/prompts/prompt_version.hpp"

#include "providers/chat_json.hpp"
#include "providers/prompt_fields.hpp"
#include "services/prompts/template/renderer.hpp"
#include "services/prompts/template/template.hpp"

#include <fmt/format.h>

#include <set>

namespace quire::prompts {
namespace {

using common::v1::ChatRequest;

constexpr std::size_t kRenderedBytesMax = 4 * 1024 * 1024;

/// Published and rendered requests are read by the same reader as a client's own.
Result<ChatRequest> read_chat(const PromptVersion& version,
                              const std::vector<std::string>& contents) {
    QUIRE_TRY(json::object object, providers::chat_with_parameters(version.parameters));
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

Result<void> take_messages(const v1::PublishVersionRequest& request, PromptVersion& version) {
    std::set<std::string> variables;
    for (int i = 0; i < request.messages_size(); ++i) {
        const v1::PromptMessage& message = request.messages(i);
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

}  // namespace

Result<PromptVersion> version_of(const v1::PublishVersionRequest& request) {
    const auto checked = providers::check_prompt_fields(providers::prompt_fields_of(request));
    if (!checked) return checked.error();
    PromptVersion version;
    version.name = request.name();
    version.model = request.model();
    const auto taken = take_messages(request, version);
    if (!taken) return taken.error();
    if (!request.parameters_json().empty()) {
        QUIRE_TRY(const json::value parameters, runtime::parse_json(request.parameters_json()));
        version.parameters = json::serialize(parameters);
    }
    const std::set<std::string> labels(request.labels().begin(), request.labels().end());
    version.labels.assign(labels.begin(), labels.end());
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
