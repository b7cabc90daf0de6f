#pragma once

#include "runtime/rpc/stream.hpp"
#include "services/gateway/gateway_api.hpp"

#include <string>

namespace quire::gateway {

/// The answer of `POST /api/v1/generate` collected into one JSON object.
class GenerateAnswer final : public rpc::Sink<common::v1::ChatEvent> {
public:
    awaitable<Result<void>> write(const common::v1::ChatEvent& event) override;
    /// After the last event: sends the whole.
    awaitable<Result<void>> respond(GatewayCall& call);

private:
    common::v1::Started started_;
    std::string output_;
    common::v1::Finished finished_;
};

/// The same as events: `start` with Started, a `delta` for each piece of text, `done`.
class GenerateStream final : public rpc::Sink<common::v1::ChatEvent> {
public:
    explicit GenerateStream(GatewayCall& call) : call_(call) {}

    awaitable<Result<void>> write(const common::v1::ChatEvent& event) override;
    /// Sends the 200 and a comment when `interval` passes without anything to say.
    void keep_alive(std::chrono::milliseconds interval);
    /// After the last event.
    awaitable<Result<void>> finish();

private:
    awaitable<Result<void>> start();
    http::Response head(const google::protobuf::RepeatedPtrField<common::v1::Step>& steps) const;

    GatewayCall& call_;
    common::v1::Started started_;
    std::string out_;
};

}  // namespace quire::gateway
