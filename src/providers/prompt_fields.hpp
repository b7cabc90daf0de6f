#pragma once

#include "runtime/json.hpp"

#include <string_view>
#include <vector>

namespace quire::providers {

/// A chat that is to be published as a prompt: what can be checked of it without a look into its
/// templates. The edge asks before it looks at the scope, and the service that keeps prompts again.
struct PromptFields {
    struct Message {
        std::string_view role;
        std::string_view content;
    };
    std::string_view name;
    std::string_view model;
    std::vector<Message> messages;
    std::string_view parameters_json;  ///< "" for none
    std::vector<std::string_view> labels;
};

/// Those of a PublishVersionRequest of prompts, as long as that lives: this library does not know
/// the messages of services.
template <class Request>
PromptFields prompt_fields_of(const Request& request) {
    PromptFields fields;
    fields.name = request.name();
    fields.model = request.model();
    for (const auto& message : request.messages()) {
        fields.messages.push_back({message.role(), message.content()});
    }
    fields.parameters_json = request.parameters_json();
    fields.labels.assign(request.labels().begin(), request.labels().end());
    return fields;
}

/// kInvalidValue, kUnsupportedParameter and what a chat's own fields are refused with, naming the
/// field.
Result<void> check_prompt_fields(const PromptFields& fields);

/// The body of a chat with these parameters, still without model and messages.
Result<json::object> chat_with_parameters(std::string_view parameters_json);

}  // namespace quire::providers
