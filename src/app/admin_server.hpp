#pragma once

#include "runtime/http/http_server.hpp"

#include <functional>
#include <string>

namespace quire::app {

/// Answers `/healthz`, `/livez` (alive), `/readyz` (every module can serve), `/metrics` and
/// `/config` (secrets masked) on the internal listener.
class AdminPages {
public:
    /// `check_ready` gives the first reason why the process cannot serve.
    AdminPages(std::string version, std::string config_text,
               std::function<Result<void>()> check_ready)
        : version_(std::move(version)),
          config_text_(std::move(config_text)),
          check_ready_(std::move(check_ready)) {}

    awaitable<void> handle(http::Exchange& exchange);

private:
    http::Response page_for(const http::RequestHead& head) const;
    http::Response health(bool checks_readiness) const;

    std::string version_;
    std::string config_text_;
    std::function<Result<void>()> check_ready_;
};

}  // namespace quire::app
