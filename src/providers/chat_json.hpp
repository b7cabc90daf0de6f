#pragma once

#include "quire/common/v1/chat.pb.h"
#include "runtime/json.hpp"

#include <string>
#include <string_view>

namespace quire::providers {

/// ChatRequest to and from the JSON of OpenAI's chat completions, both directions in one place so
/// that nothing is lost between the client and the provider.

/// Reads a client's body. `model`, `messages` and the sampling fields are checked for type and
/// range (kMissingRequiredParameter, kInvalidValue, kUnsupportedValue for n > 1; `param` names the
/// field); fields we do not read go to extra_json. `stream` and `stream_options` belong to the edge
/// and are left out.
Result<common::v1::ChatRequest> read_chat_request(const json::object& body);

/// What a provider must be sent beside the request itself.
struct UpstreamBody {
    std::string_view model;
    std::string_view max_tokens_field;   ///< "" = the client's own field, else max_tokens
    std::int64_t max_output_tokens = 0;  ///< 0: do not send one that the client did not ask for
};
/// The body for upstream: always streamed, always with usage.
std::string write_chat_request(const common::v1::ChatRequest& chat, const UpstreamBody& upstream);

/// Whether a content part that is kept as JSON holds text, as pictures and files do not; what
/// cannot be read counts as text.
bool is_text_part(std::string_view raw_json);

/// The text of the conversation, for counting and for the simulator.
std::string plain_text_of(const common::v1::ChatRequest& chat);

}  // namespace quire::providers
