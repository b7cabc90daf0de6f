// A process that serves auth, over a store of its own, and the conformance service on gRPC's wire:
//   wire_host FOLDER
// Prints one line of JSON with its addresses and ends when its input does. Any gRPC client may
// call.
#include "quire/auth/v1/auth_rpc.hpp"
#include "quire/conformance/v1/conformance_rpc.hpp"
#include "runtime/rpc/wire/wire_server.hpp"
#include "runtime/wiring.hpp"
#include "services/auth/auth_module.hpp"
#include "tests/contract/conformance_suite.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace {

using namespace quire;

template <class T>
T must(Result<T> result) {
    if (result) return *std::move(result);
    fmt::print(stderr, "wire_host: {}\n", result.error().message());
    std::exit(1);
}

void must(const Result<void>& result) {
    if (result) return;
    fmt::print(stderr, "wire_host: {}\n", result.error().message());
    std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: wire_host FOLDER\n");
        return 2;
    }
    const std::filesystem::path folder = argv[1];
    SystemClock clock;
    SystemRng rng;
    runtime::EventLoops loops(1);
    runtime::Wiring wiring(loops, clock, rng, folder);
    const auto module = must(auth::make_auth(wiring));
    const auto auth = must(wiring.need<auth::Auth>("auth"));
    const auto conformance = test::make_conformance_service();
    rpc::MethodRegistry registry;
    registry.add(auth::auth_methods(*auth));
    registry.add(conformance::conformance_methods(*conformance));
    rpc::WireServer server(loops, registry, clock, rng);
    rpc::WireAddress by_unix;
    by_unix.unix_path = folder / "wire.sock";
    rpc::WireAddress by_tcp;
    by_tcp.tcp = {"127.0.0.1", 0};
    must(server.listen(by_unix));
    must(server.listen(by_tcp));

    fmt::print("{{\"unix\":\"{}\",\"port\":{}}}\n", by_unix.unix_path, server.port());
    std::fflush(stdout);
    while (std::getchar() != EOF) continue;
    server.stop();
    return 0;
}
