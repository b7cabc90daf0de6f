#pragma once

#include "quire/common/v1/chat.pb.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quire::gateway {

/// The identity of one chat completion: the same in every chunk.
struct ChatIdentity {
    std::string id;  ///< chatcmpl- + the request's ULID
    std::string model;
    std::int64_t created = 0;  ///< unix seconds
};

/// The identity of the answer that begins so: the request's own, or that of the one it replays.
ChatIdentity identity_of(const common::v1::Started& started, const ChatIdentity& own);

/// `data: {…}` of one delta, with its end. `has_usage` puts `"usage":null` beside it, as clients
/// that asked for usage expect.
class ChunkWriter {
public:
    ChunkWriter(const ChatIdentity& identity, bool has_usage);

    void append_role(std::string& out) const;
    void append_delta(std::string& out, const common::v1::Delta& delta) const;
    void append_finish(std::string& out, std::string_view finish_reason) const;
    void append_usage(std::string& out, const common::v1::Usage& usage) const;

private:
    void begin(std::string& out) const;
    void end(std::string& out, std::string_view logprobs, std::string_view finish_reason) const;

    std::string prefix_;
    bool has_usage_;
};

/// OpenAI's usage object, with the details that the provider gave.
void append_usage_json(std::string& out, const common::v1::Usage& usage);

/// `{"id","type","function":{"name","arguments"}}`.
void append_tool_call_json(std::string& out, const common::v1::ToolCall& call);

}  // namespace quire::gateway
