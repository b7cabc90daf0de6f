#pragma once

#include "base/rng.hpp"
#include "runtime/event_loops.hpp"
#include "runtime/rpc/method.hpp"
#include "runtime/rpc/wire/wire_client.hpp"
#include "runtime/rpc/wire/wire_limits.hpp"

#include <memory>

namespace quire::rpc {

/// Offers the methods of a registry over gRPC's wire to other services. Whoever reaches it is a
/// service: a Unix socket is its owner's only (0600), TCP is for loopback until services prove who
/// they are. A method with a scope asks the principal that the call carries; a method of the
/// operator is answered on a Unix socket only.
class WireServer {
public:
    /// `registry`, `loops`, `clock` and `rng` outlive it.
    WireServer(runtime::EventLoops& loops, const MethodRegistry& registry, const Clock& clock,
               Rng& rng, WireLimits limits = {});
    ~WireServer();
    WireServer(const WireServer&) = delete;
    WireServer& operator=(const WireServer&) = delete;

    /// kInvalidValue says why it cannot; a host that is not loopback is refused.
    Result<void> listen(const WireAddress& address);
    /// Of TCP; what port 0 became.
    std::uint16_t port() const;
    /// Handlers that run, and answers that wait for their reader's window.
    std::size_t running_calls() const;
    /// Takes no new calls and lets the running ones end. Nobody can connect any more, so that
    /// another server may have the address; who is connected hears of it. A call that crosses this
    /// is answered, or refused so that it may be made again. From a thread that is no loop.
    void begin_drain();
    /// Cancels what still runs; returns when nothing of the server runs any more. From a thread
    /// that is no loop.
    void stop();

private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace quire::rpc
