#include "services/auth/auth_events.hpp"

#include "base/id.hpp"
#include "quire/auth/v1/auth.pb.h"
#include "storage/outbox.hpp"

namespace quire::auth {
namespace {

constexpr std::string_view kCreatedType = "quire.auth.key_created.v1";
constexpr std::string_view kRevokedType = "quire.auth.key_revoked.v1";

Result<void> publish(storage::Connection& connection, const rpc::CallContext& ctx,
                     std::string_view type, const std::string& subject,
                     const google::protobuf::Message& event, Timestamp at, Rng& rng) {
    storage::OutboxRow row;
    row.event_id = make_id("evt", at, rng);
    row.type = type;
    row.subject = subject;
    row.traceparent = ctx.trace.traceparent();
    row.created_at = at;
    row.payload = event.SerializeAsString();
    return storage::append_event(connection, row);
}

}  // namespace

Result<void> publish_key_created(storage::Connection& connection, const rpc::CallContext& ctx,
                                 const KeyRow& key, Rng& rng) {
    v1::KeyCreated event;
    event.set_org_id(key.org_id);
    event.set_key_id(key.id);
    event.set_name(key.name);
    event.mutable_scopes()->Add(key.scopes.begin(), key.scopes.end());
    return publish(connection, ctx, kCreatedType, key.id, event, key.created_at, rng);
}

Result<void> publish_key_revoked(storage::Connection& connection, const rpc::CallContext& ctx,
                                 const KeyRow& key, Timestamp at, Rng& rng) {
    v1::KeyRevoked event;
    event.set_org_id(key.org_id);
    event.set_key_id(key.id);
    return publish(connection, ctx, kRevokedType, key.id, event, at, rng);
}

const storage::EventTypes& event_types() {
    static const storage::EventTypes types{{kCreatedType, &v1::KeyCreated::default_instance()},
                                           {kRevokedType, &v1::KeyRevoked::default_instance()}};
    return types;
}

}  // namespace quire::auth
