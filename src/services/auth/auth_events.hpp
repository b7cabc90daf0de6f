#pragma once

#include "base/clock.hpp"
#include "base/rng.hpp"
#include "runtime/rpc/call_context.hpp"
#include "services/auth/auth_store.hpp"
#include "storage/outbox_page.hpp"

namespace quire::auth {

/// What auth tells, written in the transaction that makes it true.
Result<void> publish_key_created(storage::Connection& connection, const rpc::CallContext& ctx,
                                 const KeyRow& key, Rng& rng);
Result<void> publish_key_revoked(storage::Connection& connection, const rpc::CallContext& ctx,
                                 const KeyRow& key, Timestamp at, Rng& rng);
const storage::EventTypes& event_types();

}  // namespace quire::auth
