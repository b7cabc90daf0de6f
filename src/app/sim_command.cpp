#include "app/process.hpp"
#include "app/signals.hpp"
#include "app/terminal.hpp"
#include "providers/sim/sim_server.hpp"
#include "runtime/http/problem.hpp"
#include "runtime/json.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace quire::app {

int run_sim(const SimOptions& options) {
    const StopSignals signals;
    const auto where = http::parse_host_port(options.listen);
    if (!where) {
        say("quire: {}", where.error().message());
        return 2;
    }
    providers::SimServerOptions sim;
    sim.ttft = std::chrono::milliseconds(options.ttft_ms);
    sim.itl = std::chrono::milliseconds(options.itl_ms);
    sim.tokens = options.tokens;
    sim.seed = static_cast<std::uint64_t>(options.seed);
    sim.fail_rate = options.fail_rate;
    sim.cut_rate = options.cut_rate;

    const SystemClock clock;
    providers::SimServer simulator(sim, clock);
    runtime::EventLoops loops(1);
    http::Server server(
        loops, "sim", http::ServerLimits(),
        [&simulator](http::Exchange& exchange) { return simulator.handle(exchange); },
        [](const Error& error, std::string_view /*target*/) { return http::problem(error, ""); });
    const auto listening = server.listen({*where, ""});
    if (!listening) {
        say("quire: {}", listening.error().message());
        return 1;
    }
    const std::string url = http::url_of(where->host, server.port());
    json::object ready;
    ready["event"] = "ready";
    ready["url"] = url;
    ready["version"] = QUIRE_VERSION;
    if (options.is_json) {
        print("{}\n", json::serialize(ready));
    } else {
        print("The simulator is ready on {}/v1\n", url);
    }
    std::fflush(stdout);
    signals.wait();
    server.stop();
    loops.stop();
    return 0;
}

}  // namespace quire::app
