#pragma once

#include "runtime/rpc/stream.hpp"
#include "services/gateway/gateway_api.hpp"

#include <string>

namespace quire::gateway {

/// An answer of server-sent events, whatever they say: its 200, its keep-alive, its end. `write`
/// makes events of what comes.
class EventStream : public rpc::Sink<common::v1::ChatEvent> {
public:
    /// Sends the 200 and a comment when `interval` passes without anything to say.
    void keep_alive(std::chrono::milliseconds interval);
    /// After the last event.
    awaitable<Result<void>> finish();

protected:
    explicit EventStream(GatewayCall& call) : call_(call) {}

    /// Sends the first events, and before them the 200 unless a keep-alive has done so.
    awaitable<Result<void>> begin(const common::v1::Started& started, const std::string& events);
    awaitable<Result<void>> send(const std::string& events);

    GatewayCall& call_;

private:
    http::Response head(const google::protobuf::RepeatedPtrField<common::v1::Step>& steps) const;
};

}  // namespace quire::gateway
