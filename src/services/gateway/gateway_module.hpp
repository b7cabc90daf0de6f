#pragma once

#include "runtime/wiring.hpp"

#include <memory>

namespace quire::gateway {

/// The public listener's port, known once the module has started.
struct GatewayAddress {
    std::uint16_t port = 0;
};

/// Serves the public API; needs `Auth`, `Credits`, `Prompts` and `Analytics`. kInvalidValue when it
/// cannot listen.
Result<std::unique_ptr<runtime::Module>> make_gateway(runtime::Wiring& wiring);

}  // namespace quire::gateway
