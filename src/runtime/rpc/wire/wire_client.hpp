#pragma once

#include "runtime/event_loops.hpp"
#include "runtime/http/url.hpp"
#include "runtime/rpc/channel.hpp"
#include "runtime/rpc/wire/wire_limits.hpp"

#include <string>

namespace quire::rpc {

/// Where a service listens: a Unix socket's path, or TCP on loopback.
struct WireAddress {
    std::string unix_path;
    http::HostPort tcp;

    std::string text() const;
};

/// A service at one address, over gRPC's wire: one connection per loop, made at the first call and
/// again after it was lost. Call it from the loops it was made with; `close` it before they stop.
class WireChannel final : public Channel {
public:
    WireChannel(runtime::EventLoops& loops, WireAddress address, const Clock& clock,
                WireLimits limits = {});
    ~WireChannel() override;

    awaitable<Result<std::unique_ptr<ClientStream>>> start(const CallContext& ctx,
                                                           std::string_view path) override;
    /// Ends every connection and call; waits until it is done. From a thread that is no loop.
    void close();

private:
    class Connector;

    runtime::PerLoop<std::shared_ptr<Connector>> connectors_;
    runtime::EventLoops& loops_;
};

}  // namespace quire::rpc
