#include "services/gateway/chat_json_writer.hpp"

#include "base/id.hpp"
#include "runtime/json.hpp"

#include <fmt/format.h>

#include <iterator>

namespace quire::gateway {
namespace {

using common::v1::Channel;
using runtime::append_json_string;

std::string_view key_of(Channel channel) {
    switch (channel) {
        case Channel::REASONING:
            return "reasoning_content";
        case Channel::REFUSAL:
            return "refusal";
        default:
            return "content";
    }
}

/// id, type and name only with the first piece of a call, as clients expect.
void append_tool_call_delta(std::string& out, const common::v1::ToolCallDelta& call) {
    fmt::format_to(std::back_inserter(out), R"("tool_calls":[{{"index":{})", call.index());
    if (!call.id().empty()) {
        out += R"(,"id":)";
        append_json_string(out, call.id());
    }
    if (!call.type().empty()) {
        out += R"(,"type":)";
        append_json_string(out, call.type());
    }
    out += R"(,"function":{)";
    if (!call.name().empty()) {
        out += R"("name":)";
        append_json_string(out, call.name());
        out += ',';
    }
    out += R"("arguments":)";
    append_json_string(out, call.arguments());
    out += "}}]";
}

}  // namespace

ChatIdentity identity_of(const common::v1::Started& started, const ChatIdentity& own) {
    const auto first = ulid_of(started.replay_of(), "req");
    if (!first) return own;
    return {"chatcmpl-" + std::string(*first), own.model, started.created_at_us() / 1'000'000};
}

ChunkWriter::ChunkWriter(const ChatIdentity& identity, bool has_usage)
    : prefix_(fmt::format(R"(data: {{"id":"{}","object":"chat.completion.chunk","created":{},)"
                          R"("model":{},"choices":[)",
                          identity.id, identity.created, runtime::json_string(identity.model))),
      has_usage_(has_usage) {}

void ChunkWriter::begin(std::string& out) const {
    out += prefix_;
    out += R"({"index":0,"delta":{)";
}

void ChunkWriter::end(std::string& out, std::string_view logprobs,
                      std::string_view finish_reason) const {
    out += R"(},"logprobs":)";
    out += logprobs.empty() ? "null" : logprobs;
    out += R"(,"finish_reason":)";
    if (finish_reason.empty()) {
        out += "null";
    } else {
        append_json_string(out, finish_reason);
    }
    out += has_usage_ ? "}],\"usage\":null}\n\n" : "}]}\n\n";
}

void ChunkWriter::append_role(std::string& out) const {
    begin(out);
    out += R"("role":"assistant","content":"")";
    end(out, "", "");
}

void ChunkWriter::append_delta(std::string& out, const common::v1::Delta& delta) const {
    begin(out);
    if (delta.has_tool_call()) {
        append_tool_call_delta(out, delta.tool_call());
    } else {
        fmt::format_to(std::back_inserter(out), "\"{}\":", key_of(delta.channel()));
        append_json_string(out, delta.text());
    }
    end(out, delta.logprobs_json(), "");
}

void ChunkWriter::append_finish(std::string& out, std::string_view finish_reason) const {
    begin(out);
    end(out, "", finish_reason);
}

void ChunkWriter::append_usage(std::string& out, const common::v1::Usage& usage) const {
    out += prefix_;
    out += R"(],"usage":)";
    append_usage_json(out, usage);
    out += "}\n\n";
}

void append_usage_json(std::string& out, const common::v1::Usage& usage) {
    fmt::format_to(
        std::back_inserter(out), R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{})",
        usage.input_tokens(), usage.output_tokens(), usage.input_tokens() + usage.output_tokens());
    if (usage.has_cached_tokens()) {
        fmt::format_to(std::back_inserter(out),
                       R"(,"prompt_tokens_details":{{"cached_tokens":{}}})", usage.cached_tokens());
    }
    if (usage.has_reasoning_tokens()) {
        fmt::format_to(std::back_inserter(out),
                       R"(,"completion_tokens_details":{{"reasoning_tokens":{}}})",
                       usage.reasoning_tokens());
    }
    out += '}';
}

void append_tool_call_json(std::string& out, const common::v1::ToolCall& call) {
    out += R"({"id":)";
    append_json_string(out, call.id());
    out += R"(,"type":)";
    append_json_string(out, call.type().empty() ? "function" : call.type());
    out += R"(,"function":{"name":)";
    append_json_string(out, call.name());
    out += R"(,"arguments":)";
    append_json_string(out, call.arguments());
    out += "}}";
}

}  // namespace quire::gateway
