#pragma once

#include "base/clock.hpp"
#include "base/rng.hpp"
#include "base/words.hpp"
#include "quire/auth/v1/auth_port.hpp"
#include "services/auth/auth_store.hpp"
#include "storage/database.hpp"

#include <optional>
#include <string>

namespace quire::auth {

using quire::all_scopes;

/// The port's implementation. Safe from several loops: what it shares lies in the database.
class AuthService final : public Auth {
public:
    AuthService(storage::Database& database, const Clock& clock, Rng& rng)
        : database_(database), clock_(clock), retention_clock_(clock), rng_(rng) {}

    awaitable<Result<v1::AuthenticateResponse>> authenticate(
        const rpc::CallContext& ctx, const v1::AuthenticateRequest& request) override;
    awaitable<Result<v1::CreateKeyResponse>> create_key(
        const rpc::CallContext& ctx, const v1::CreateKeyRequest& request) override;
    awaitable<Result<v1::ListKeysResponse>> list_keys(const rpc::CallContext& ctx,
                                                      const v1::ListKeysRequest& request) override;
    awaitable<Result<v1::RevokeKeyResponse>> revoke_key(
        const rpc::CallContext& ctx, const v1::RevokeKeyRequest& request) override;
    awaitable<Result<v1::CreateOrganizationResponse>> create_organization(
        const rpc::CallContext& ctx, const v1::CreateOrganizationRequest& request) override;
    awaitable<Result<v1::ListOrganizationsResponse>> list_organizations(
        const rpc::CallContext& ctx, const v1::ListOrganizationsRequest& request) override;
    awaitable<Result<common::v1::OutboxPage>> read_outbox(
        const rpc::CallContext& ctx, const common::v1::ReadOutboxRequest& request) override;

    /// See runtime::FirstRun. Blocking: only before the loops serve anything.
    Result<std::optional<std::string>> prepare_first_run();
    /// Beside requests.
    awaitable<Result<void>> complete_first_run();

private:
    OrganizationRow new_organization(const std::string& name);
    KeyRow new_key(const OrganizationRow& owner, std::string name, std::string_view secret);

    storage::Database& database_;
    const Clock& clock_;
    RetentionClock retention_clock_;
    Rng& rng_;
};

}  // namespace quire::auth
