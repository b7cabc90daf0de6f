#pragma once

#include "base/clock.hpp"
#include "storage/connection.hpp"

#include <optional>
#include <string>
#include <vector>

namespace quire::auth {

struct KeyRow {
    std::string org_id;
    std::string project_id;
    std::string id;
    std::string user_id;
    std::string name;
    std::string hash;
    std::string last4;
    std::vector<std::string> scopes;
    Timestamp created_at;
    Timestamp expires_at;  ///< 0: never
    Timestamp revoked_at;  ///< 0: not revoked
};

struct OrganizationRow {
    std::string id;
    std::string name;
    Timestamp created_at;
    std::string project_id;
    std::string user_id;
};

struct FirstRunRow {
    std::string org_id;
    std::string key_id;
    bool is_complete = false;
};

/// The SQL of auth. Inserts what it is given: ids, times and hashes are made above. Runs inside the
/// caller's transaction.
class AuthStore {
public:
    explicit AuthStore(storage::Connection& connection) : connection_(connection) {}

    /// With its one project and one user.
    Result<void> insert_organization(const OrganizationRow& organization);
    Result<std::vector<OrganizationRow>> list_organizations(const std::string& after,
                                                            std::int64_t limit);
    Result<std::optional<OrganizationRow>> find_organization(const std::string& id);

    Result<void> insert_key(const KeyRow& key);
    Result<std::optional<KeyRow>> find_key_by_hash(const std::string& hash);
    Result<std::optional<KeyRow>> find_key(const std::string& org_id, const std::string& key_id);
    /// Newest first, ids before `after` ("" = from the newest).
    Result<std::vector<KeyRow>> list_keys(const std::string& org_id, const std::string& project_id,
                                          const std::string& after, std::int64_t limit);
    Result<void> revoke_key(const std::string& org_id, const std::string& key_id, Timestamp at);

    Result<std::optional<FirstRunRow>> find_first_run();
    Result<void> put_first_run(const FirstRunRow& row);
    Result<void> complete_first_run(Timestamp at);

private:
    storage::Connection& connection_;
};

}  // namespace quire::auth
