#pragma once

#include "services/gateway/gateway_api.hpp"

#include <string>

namespace quire::gateway {

/// kInvalidValue for an Idempotency-Key that is too long.
Result<void> check_idempotency_key(const GatewayCall& call);

/// Tells two requests with one Idempotency-Key apart: SHA-256 of method, path and raw body. "" for
/// a request without such a key.
std::string idempotency_hash(const GatewayCall& call);

}  // namespace quire::gateway
