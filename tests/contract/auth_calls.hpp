#pragma once

#include "quire/auth/v1/auth_port.hpp"

#include <string>
#include <vector>

namespace quire::test {

/// The calls of the port as the cases make them. `port` and `ctx` outlive each call.

/// Every scope of the contract.
const std::vector<std::string>& contract_scopes();

/// A new organization, and a caller for it who has every scope.
awaitable<Result<rpc::CallContext>> new_owner(auth::Auth& port);

struct KeyWish {
    explicit KeyWish(std::string key_name, std::vector<std::string> wanted = {},
                     std::int64_t expires = 0)
        : name(std::move(key_name)), scopes(std::move(wanted)), expires_at_us(expires) {}

    std::string name;
    std::vector<std::string> scopes;
    std::int64_t expires_at_us;
};
awaitable<Result<auth::v1::CreateKeyResponse>> create_key(auth::Auth& port,
                                                          const rpc::CallContext& ctx,
                                                          KeyWish wish);
awaitable<Result<auth::v1::AuthenticateResponse>> authenticate(auth::Auth& port, std::string key);
awaitable<Result<auth::v1::RevokeKeyResponse>> revoke_key(auth::Auth& port,
                                                          const rpc::CallContext& ctx,
                                                          std::string id);
awaitable<Result<auth::v1::ListKeysResponse>> list_keys(auth::Auth& port,
                                                        const rpc::CallContext& ctx,
                                                        std::string after = "",
                                                        std::int32_t limit = 0);
awaitable<Result<auth::v1::ListOrganizationsResponse>> list_organizations(auth::Auth& port,
                                                                          std::string after,
                                                                          std::int32_t limit);
/// The events after `sequence`; the whole rest when `limit` is 0.
awaitable<Result<std::vector<common::v1::OutboxEvent>>> read_events(auth::Auth& port,
                                                                    std::int64_t sequence,
                                                                    std::int32_t limit = 0);
/// The sequence of the last event there is, 0 when there is none.
awaitable<Result<std::int64_t>> last_sequence(auth::Auth& port);

}  // namespace quire::test
