#include "services/prompts/usage_estimate.hpp"

#include "providers/chat_json.hpp"

#include <algorithm>

namespace quire::prompts {
namespace {

constexpr std::int64_t kBytesPerToken = 4;
constexpr std::int64_t kTokensPerMessage = 4;
/// About what providers count for a large picture; the bytes of one say nothing.
constexpr std::size_t kOtherPartBytesMax = 1'000 * kBytesPerToken;

std::int64_t tokens_of(std::int64_t bytes) { return (bytes + kBytesPerToken - 1) / kBytesPerToken; }

std::size_t bytes_of(const common::v1::ContentPart& part) {
    const std::string& raw = part.raw_json();
    const bool is_counted = raw.size() <= kOtherPartBytesMax || providers::is_text_part(raw);
    return is_counted ? part.text().size() + raw.size() : kOtherPartBytesMax;
}

std::int64_t bytes_of(const common::v1::ChatMessage& message) {
    std::size_t bytes = 0;
    for (const auto& part : message.parts()) bytes += bytes_of(part);
    for (const auto& call : message.tool_calls()) {
        bytes += call.name().size() + call.arguments().size() + call.raw_json().size();
    }
    return static_cast<std::int64_t>(bytes);
}

}  // namespace

UsageEstimate::UsageEstimate(const common::v1::ChatRequest& request) {
    auto bytes = static_cast<std::int64_t>(request.tools_json().size() +
                                           request.response_format_json().size());
    for (const auto& message : request.messages()) bytes += bytes_of(message);
    input_tokens_ = tokens_of(bytes) + kTokensPerMessage * request.messages_size();
}

void UsageEstimate::add(const common::v1::Delta& delta) {
    const std::size_t bytes = delta.has_tool_call() ? delta.tool_call().name().size() +
                                                          delta.tool_call().arguments().size()
                                                    : delta.text().size();
    if (bytes > 0) ++deltas_;
    output_bytes_ += static_cast<std::int64_t>(bytes);
}

std::int64_t UsageEstimate::output_tokens() const {
    return std::max(deltas_, tokens_of(output_bytes_));
}

std::int64_t UsageEstimate::least_output_tokens() const {
    return std::min(deltas_, tokens_of(output_bytes_));
}

common::v1::Usage UsageEstimate::usage() const {
    common::v1::Usage usage;
    usage.set_input_tokens(input_tokens_);
    usage.set_output_tokens(output_tokens());
    usage.set_estimated(true);
    return usage;
}

}  // namespace quire::prompts
