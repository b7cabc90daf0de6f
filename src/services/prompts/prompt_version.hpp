#pragma once

#include "base/clock.hpp"
#include "quire/common/v1/chat.pb.h"
#include "quire/prompts/v1/prompts.pb.h"
#include "runtime/json.hpp"

#include <string>
#include <vector>

namespace quire::prompts {

struct PromptMessage {
    std::string role;
    std::string content;  ///< a template
};

/// What was published under a name, and what points at it now.
struct PromptVersion {
    std::string name;
    std::int64_t version = 0;
    std::vector<PromptMessage> messages;
    std::string model;              ///< "": the first one that is configured
    std::string parameters = "{}";  ///< a JSON object
    std::vector<std::string> variables;
    std::vector<std::string> labels;
    Timestamp created_at;
};

/// The version that a request asks to publish, with the variables of its templates, still without
/// number and time. kInvalidValue and the like; kTemplateError, naming the message's content.
Result<PromptVersion> version_of(const v1::PublishVersionRequest& request);

/// The chat request that the version makes of these variables; `model` may be empty.
/// kMissingVariable naming `/variables/NAME`; kTemplateError.
Result<common::v1::ChatRequest> render(const PromptVersion& version, const json::object& variables);

v1::PromptVersion to_message(const PromptVersion& version);

}  // namespace quire::prompts
