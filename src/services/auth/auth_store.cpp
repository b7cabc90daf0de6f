#include "services/auth/auth_store.hpp"

#include <fmt/format.h>

namespace quire::auth {
namespace {

using storage::Row;

constexpr std::string_view kKeyColumns =
    "org_id, project_id, id, user_id, name, hash, last4, scopes, created_at, expires_at, "
    "revoked_at";
constexpr std::string_view kOrganizationColumns =
    "o.id, o.name, o.created_at, "
    "(SELECT MIN(id) FROM projects WHERE org_id = o.id), "
    "(SELECT MIN(id) FROM users WHERE org_id = o.id)";

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const auto end = std::min(text.find(' ', begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

KeyRow key_of(const Row& row) {
    return {row.text(0),
            row.text(1),
            row.text(2),
            row.text(3),
            row.text(4),
            row.text(5),
            row.text(6),
            split(row.text(7)),
            Timestamp{row.integer(8)},
            Timestamp{row.integer(9)},
            Timestamp{row.integer(10)}};
}

OrganizationRow organization_of(const Row& row) {
    return {row.text(0), row.text(1), Timestamp{row.integer(2)}, row.text(3), row.text(4)};
}

std::optional<KeyRow> first_key(const std::vector<Row>& rows) {
    if (rows.empty()) return std::nullopt;
    return key_of(rows.front());
}

}  // namespace

Result<void> AuthStore::insert_organization(const OrganizationRow& organization) {
    const std::int64_t at = organization.created_at.micros;
    QUIRE_TRY([[maybe_unused]] const auto org,
              connection_.execute("INSERT INTO organizations VALUES ($1, $2, $3)",
                                  {organization.id, organization.name, at}));
    QUIRE_TRY([[maybe_unused]] const auto project,
              connection_.execute(
                  "INSERT INTO projects VALUES ($1, $2, $3, $4)",
                  {organization.id, organization.project_id, std::string("default"), at}));
    QUIRE_TRY(
        [[maybe_unused]] const auto user,
        connection_.execute("INSERT INTO users VALUES ($1, $2, $3, $4)",
                            {organization.id, organization.user_id, std::string("owner"), at}));
    return {};
}

Result<std::vector<OrganizationRow>> AuthStore::list_organizations(const std::string& after,
                                                                   std::int64_t limit) {
    QUIRE_TRY(const auto rows,
              connection_.query(fmt::format("SELECT {} FROM organizations o WHERE o.id > $1 "
                                            "ORDER BY o.id LIMIT $2",
                                            kOrganizationColumns),
                                {after, limit}));
    std::vector<OrganizationRow> organizations;
    for (const Row& row : rows) organizations.push_back(organization_of(row));
    return organizations;
}

Result<std::optional<OrganizationRow>> AuthStore::find_organization(const std::string& id) {
    QUIRE_TRY(const auto rows,
              connection_.query(fmt::format("SELECT {} FROM organizations o WHERE o.id = $1",
                                            kOrganizationColumns),
                                {id}));
    if (rows.empty()) return std::optional<OrganizationRow>();
    return std::optional(organization_of(rows.front()));
}

Result<void> AuthStore::insert_key(const KeyRow& key) {
    QUIRE_TRY(
        [[maybe_unused]] const auto inserted,
        connection_.execute(fmt::format("INSERT INTO api_keys ({}) VALUES "
                                        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                                        kKeyColumns),
                            {key.org_id, key.project_id, key.id, key.user_id, key.name, key.hash,
                             key.last4, fmt::format("{}", fmt::join(key.scopes, " ")),
                             key.created_at.micros, key.expires_at.micros, key.revoked_at.micros}));
    return {};
}

Result<std::optional<KeyRow>> AuthStore::find_key_by_hash(const std::string& hash) {
    QUIRE_TRY(const auto rows,
              connection_.query(fmt::format("SELECT {} FROM api_keys WHERE hash = $1", kKeyColumns),
                                {hash}));
    return first_key(rows);
}

Result<std::optional<KeyRow>> AuthStore::find_key(const std::string& org_id,
                                                  const std::string& key_id) {
    QUIRE_TRY(const auto rows,
              connection_.query(
                  fmt::format("SELECT {} FROM api_keys WHERE org_id = $1 AND id = $2", kKeyColumns),
                  {org_id, key_id}));
    return first_key(rows);
}

Result<std::vector<KeyRow>> AuthStore::list_keys(const std::string& org_id,
                                                 const std::string& project_id,
                                                 const std::string& after, std::int64_t limit) {
    QUIRE_TRY(const auto rows,
              connection_.query(fmt::format("SELECT {} FROM api_keys WHERE org_id = $1 AND "
                                            "project_id = $2 AND ($3 = '' OR id < $3) "
                                            "ORDER BY id DESC LIMIT $4",
                                            kKeyColumns),
                                {org_id, project_id, after, limit}));
    std::vector<KeyRow> keys;
    for (const Row& row : rows) keys.push_back(key_of(row));
    return keys;
}

Result<void> AuthStore::revoke_key(const std::string& org_id, const std::string& key_id,
                                   Timestamp at) {
    QUIRE_TRY([[maybe_unused]] const auto changed,
              connection_.execute("UPDATE api_keys SET revoked_at = $3 WHERE org_id = $1 AND "
                                  "id = $2 AND revoked_at = 0",
                                  {org_id, key_id, at.micros}));
    return {};
}

Result<std::optional<FirstRunRow>> AuthStore::find_first_run() {
    QUIRE_TRY(const auto rows,
              connection_.query("SELECT org_id, key_id, completed_at FROM first_run"));
    if (rows.empty()) return std::optional<FirstRunRow>();
    const Row& row = rows.front();
    return std::optional(FirstRunRow{row.text(0), row.text(1), row.integer(2) != 0});
}

Result<void> AuthStore::put_first_run(const FirstRunRow& row) {
    QUIRE_TRY([[maybe_unused]] const auto put,
              connection_.execute("INSERT INTO first_run (id, org_id, key_id) VALUES (1, $1, $2) "
                                  "ON CONFLICT (id) DO UPDATE SET org_id = $1, key_id = $2",
                                  {row.org_id, row.key_id}));
    return {};
}

Result<void> AuthStore::complete_first_run(Timestamp at) {
    QUIRE_TRY([[maybe_unused]] const auto done,
              connection_.execute("UPDATE first_run SET completed_at = $1 WHERE completed_at = 0",
                                  {at.micros}));
    return {};
}

}  // namespace quire::auth
