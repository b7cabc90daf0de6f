#include "app/admin_server.hpp"

#include "runtime/http/problem.hpp"
#include "runtime/json.hpp"
#include "runtime/metrics.hpp"

namespace quire::app {

awaitable<void> AdminPages::handle(http::Exchange& exchange) {
    const auto sent = co_await exchange.respond(page_for(exchange.head()));
    ignore(sent, "the prober has left");
}

http::Response AdminPages::page_for(const http::RequestHead& head) const {
    if (head.method != "GET" && head.method != "HEAD") {
        return http::problem(Error(ErrorCode::kMethodNotAllowed, "use GET"), "");
    }
    if (head.path == "/healthz" || head.path == "/livez") return health(false);
    if (head.path == "/readyz") return health(true);
    http::Response response;
    if (head.path == "/metrics") {
        response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        response.body = runtime::metrics_text();
        return response;
    }
    if (head.path == "/config") {
        response.content_type = "text/plain; charset=utf-8";
        response.body = config_text_;
        return response;
    }
    return http::problem(
        Error(ErrorCode::kNotFound, "there are /healthz, /readyz, /metrics and /config here"), "");
}

http::Response AdminPages::health(bool checks_readiness) const {
    json::object body;
    body["status"] = "ok";
    body["version"] = version_;
    json::object checks;
    http::Response response;
    response.content_type = "application/json";
    if (checks_readiness) {
        const auto ready = check_ready_();
        checks["ready"] = ready ? "ok" : ready.error().message();
        if (!ready) {
            response.status = 503;
            body["status"] = "unavailable";
        }
    }
    body["checks"] = std::move(checks);
    response.body = json::serialize(body);
    return response;
}

}  // namespace quire::app
