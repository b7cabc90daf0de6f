#pragma once

#include "services/gateway/chat_json_writer.hpp"
#include "services/gateway/event_stream.hpp"

namespace quire::gateway {

/// A chat completion as an event stream. The 200 goes out with Started; the finish chunk, usage and
/// `[DONE]` with Finished.
class ChatStream final : public EventStream {
public:
    ChatStream(GatewayCall& call, const ChatIdentity& identity, bool has_usage)
        : EventStream(call),
          identity_(identity),
          writer_(identity, has_usage),
          has_usage_(has_usage) {}

    awaitable<Result<void>> write(const common::v1::ChatEvent& event) override;

private:
    awaitable<Result<void>> start(const common::v1::ChatEvent& event);

    ChatIdentity identity_;
    ChunkWriter writer_;
    bool has_usage_;
    std::string out_;
};

}  // namespace quire::gateway
