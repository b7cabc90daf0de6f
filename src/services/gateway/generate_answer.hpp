#pragma once

#include "services/gateway/event_stream.hpp"

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
class GenerateStream final : public EventStream {
public:
    explicit GenerateStream(GatewayCall& call) : EventStream(call) {}

    awaitable<Result<void>> write(const common::v1::ChatEvent& event) override;

private:
    awaitable<Result<void>> start();

    common::v1::Started started_;
    std::string out_;
};

}  // namespace quire::gateway
