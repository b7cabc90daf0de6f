#pragma once

#include "base/clock.hpp"
#include "base/rng.hpp"
#include "runtime/event_loops.hpp"
#include "runtime/rpc/wire/wire_server.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace quire::test {

enum class Wire { kUnixSocket, kLoopback };

/// A port behind gRPC's wire: a server that offers `methods`, and a channel to it, each on loops of
/// its own.
class Wired {
public:
    explicit Wired(std::vector<rpc::Method> methods, Wire wire = Wire::kUnixSocket,
                   rpc::WireLimits limits = {}) {
        registry_.add(std::move(methods));
        server = std::make_unique<rpc::WireServer>(server_loops_, registry_, clock_, rng_, limits);
        if (wire == Wire::kUnixSocket) address.unix_path = folder_.path() / "wire.sock";
        if (wire == Wire::kLoopback) address.tcp = {"127.0.0.1", 0};
        const auto listening = server->listen(address);
        EXPECT_TRUE(listening) << listening.error().message();
        if (wire == Wire::kLoopback) address.tcp.port = server->port();
        channel = std::make_shared<rpc::WireChannel>(client_loops_, address, clock_, limits);
    }
    ~Wired() {
        channel->close();
        server->stop();
    }
    Wired(const Wired&) = delete;
    Wired& operator=(const Wired&) = delete;

    /// Runs `work` on the loop from which the channel is called.
    template <class T>
    T run(awaitable<T> work) {
        return run_on(client_loops_.loop(0), std::move(work));
    }

    rpc::WireAddress address;
    std::unique_ptr<rpc::WireServer> server;
    std::shared_ptr<rpc::WireChannel> channel;

private:
    TemporaryFolder folder_;
    SystemClock clock_;
    SystemRng rng_;
    rpc::MethodRegistry registry_;
    runtime::EventLoops server_loops_{1};
    runtime::EventLoops client_loops_{1};
};

}  // namespace quire::test
