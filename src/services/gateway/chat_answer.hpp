#pragma once

#include "runtime/rpc/stream.hpp"
#include "services/gateway/chat_json_writer.hpp"
#include "services/gateway/gateway_api.hpp"

#include <map>
#include <string>
#include <vector>

namespace quire::gateway {

/// A chat completion collected into one plain answer.
class ChatAnswer final : public rpc::Sink<common::v1::ChatEvent> {
public:
    awaitable<Result<void>> write(const common::v1::ChatEvent& event) override;
    /// After the last event: sends the whole.
    awaitable<Result<void>> respond(GatewayCall& call, const ChatIdentity& identity);

private:
    void add(const common::v1::Delta& delta);
    std::string body(const ChatIdentity& identity) const;

    std::string content_;
    std::string reasoning_;
    std::string refusal_;
    std::vector<std::string> logprobs_;  ///< of each piece that has some
    std::map<std::int32_t, common::v1::ToolCall> tool_calls_;
    common::v1::Started started_;
    common::v1::Finished finished_;
};

}  // namespace quire::gateway
