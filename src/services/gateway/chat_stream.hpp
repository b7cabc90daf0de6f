#pragma once

#include "runtime/rpc/stream.hpp"
#include "services/gateway/chat_json_writer.hpp"
#include "services/gateway/gateway_api.hpp"

namespace quire::gateway {

/// A chat completion as an event stream. The 200 goes out with Started; the finish chunk, usage and
/// `[DONE]` with Finished.
class ChatStream final : public rpc::Sink<common::v1::ChatEvent> {
public:
    ChatStream(GatewayCall& call, const ChatIdentity& identity, bool has_usage)
        : call_(call), identity_(identity), writer_(identity, has_usage), has_usage_(has_usage) {}

    awaitable<Result<void>> write(const common::v1::ChatEvent& event) override;
    /// Sends the 200 and a comment when `interval` passes without anything to say.
    void keep_alive(std::chrono::milliseconds interval);
    /// After the last event.
    awaitable<Result<void>> finish();

private:
    awaitable<Result<void>> start(const common::v1::ChatEvent& event);
    http::Response head(const google::protobuf::RepeatedPtrField<common::v1::Step>& steps) const;

    GatewayCall& call_;
    ChatIdentity identity_;
    ChunkWriter writer_;
    bool has_usage_;
    std::string out_;
};

}  // namespace quire::gateway
