#include "services/gateway/gateway_module.hpp"

#include "services/gateway/gateway_http.hpp"

namespace quire::gateway {
namespace {

class GatewayModule final : public runtime::Module {
public:
    GatewayModule(runtime::Wiring& wiring, GatewayApi::Ports ports)
        : wiring_(wiring),
          config_(wiring.settings<GatewayConfig>()),
          principals_(ports.auth, wiring.clock(), config_.key_cache),
          api_(std::move(ports), config_, wiring.clock(), principals_),
          http_({api_, principals_, wiring.methods(), wiring.clock(), wiring.rng()}, config_),
          server_(
              wiring.loops(), "gateway", config_.http,
              [this](http::Exchange& exchange) { return http_.handle(exchange); },
              [this](const Error& error, std::string_view target) {
                  return http_.malformed(error, target);
              }) {}

    Result<void> start() override {
        QUIRE_TRY(const http::HostPort where, http::parse_host_port(config_.listen));
        const auto listening = server_.listen({where, ""});
        if (!listening) return listening;
        wiring_.set_settings(GatewayAddress{server_.port()});
        return {};
    }

    void begin_drain() override {
        http_.begin_drain();
        server_.begin_drain();
    }
    std::size_t running() override { return server_.active_exchanges(); }
    void stop() override { server_.stop(); }

private:
    runtime::Wiring& wiring_;
    GatewayConfig config_;
    PrincipalCache principals_;
    GatewayApi api_;
    GatewayHttp http_;
    http::Server server_;
};

}  // namespace

Result<std::unique_ptr<runtime::Module>> make_gateway(runtime::Wiring& wiring) {
    GatewayApi::Ports ports;
    QUIRE_TRY(ports.auth, wiring.need<auth::Auth>("auth"));
    QUIRE_TRY(ports.credits, wiring.need<credits::Credits>("credits"));
    QUIRE_TRY(ports.prompts, wiring.need<prompts::Prompts>("prompts"));
    QUIRE_TRY(ports.analytics, wiring.need<analytics::Analytics>("analytics"));
    return std::unique_ptr<runtime::Module>(
        std::make_unique<GatewayModule>(wiring, std::move(ports)));
}

}  // namespace quire::gateway
