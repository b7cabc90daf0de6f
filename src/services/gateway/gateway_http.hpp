#pragma once

#include "runtime/metrics.hpp"
#include "services/gateway/gateway_api.hpp"
#include "services/gateway/gateway_routes.hpp"
#include "services/gateway/log_limit.hpp"

#include <atomic>
#include <memory>

namespace quire::gateway {

/// Runs every public request: finds the route, authenticates, reads and parses the body, calls the
/// handler, and is the one place that turns an Error into bytes and logs it.
class GatewayHttp {
public:
    struct Deps {
        GatewayApi& api;
        PrincipalCache& principals;
        const rpc::MethodRegistry& methods;
        const Clock& clock;
        Rng& rng;
    };
    GatewayHttp(Deps deps, const GatewayConfig& config);

    awaitable<void> handle(http::Exchange& exchange);
    /// What a request that is not HTTP is answered with; `target` is what is known of its own.
    http::Response malformed(const Error& error, std::string_view target);
    void begin_drain() { is_draining_ = true; }

private:
    awaitable<Result<void>> serve(GatewayCall& call, const RouteMatch& match);
    awaitable<Result<void>> authenticate(GatewayCall& call);
    awaitable<Result<void>> call_handler(GatewayCall& call, const Route& route);
    awaitable<void> answer_error(GatewayCall& call, Error error);
    rpc::CallContext make_context(const http::RequestHead& head);
    void count(const Route* route, std::string_view verb, int status);
    void log_refusal(std::string_view request_id, std::string_view trace_id, const Route* route,
                     const Error& error);

    Deps deps_;
    GatewayConfig config_;
    std::map<const Route*, const rpc::Method*> methods_;  ///< looked up once
    std::atomic<bool> is_draining_{false};
    LogLimit refusals_;
    prometheus::Gauge& in_flight_;
    prometheus::Histogram& duration_;
};

}  // namespace quire::gateway
