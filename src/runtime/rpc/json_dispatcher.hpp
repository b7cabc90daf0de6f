#pragma once

#include "base/rng.hpp"
#include "runtime/http/http_server.hpp"
#include "runtime/rpc/method.hpp"

#include <functional>
#include <string>

namespace quire::rpc {

/// Resolves the tenant that the operator names (`x-quire-org`; "" = the only one). `org` outlives
/// the call. kMissingRequiredParameter: none is named, and there are several; methods that are the
/// operator's alone are then called without a tenant.
using OrgResolver = std::function<awaitable<Result<Principal>>(const std::string& org)>;

/// Answers `POST /rpc/quire.auth.v1.Auth/CreateKey` with protobuf JSON, for `quire.sock`: the
/// caller is the operator. A server stream answers JSON lines; an error is problem+json, or the
/// last line
/// `{"error": …}` when messages went before.
class JsonDispatcher {
public:
    JsonDispatcher(const MethodRegistry& registry, OrgResolver resolve_org, const Clock& clock,
                   Rng& rng)
        : registry_(registry), resolve_org_(std::move(resolve_org)), clock_(clock), rng_(rng) {}

    awaitable<void> handle(http::Exchange& exchange);

private:
    awaitable<Result<void>> call(http::Exchange& exchange, CallContext& ctx);

    const MethodRegistry& registry_;
    OrgResolver resolve_org_;
    const Clock& clock_;
    Rng& rng_;
};

}  // namespace quire::rpc
