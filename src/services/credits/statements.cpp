#include "services/credits/statements.hpp"

namespace quire::credits {

using storage::Row;

namespace {

constexpr std::string_view kBeyondAllIds = "txn_~";

}  // namespace

Result<Balance> read_balance(storage::Connection& connection, const std::string& org_id) {
    QUIRE_TRY(const auto rows,
              connection.query("SELECT credits_posted - debits_posted - debits_pending, "
                               "debits_pending FROM accounts WHERE org_id = $1 AND name = "
                               "'prepaid'",
                               {org_id}));
    if (rows.empty()) return Balance();
    return Balance{{rows[0].integer(0)}, {rows[0].integer(1)}};
}

Entry entry_of_grant(const TransferRow& grant) {
    return {grant.id,     grant.at, std::string(name_of(grant.kind)),
            grant.posted, "",       grant.description};
}

Result<std::vector<Entry>> read_entries(storage::Connection& connection, const std::string& org_id,
                                        const std::string& after, std::int64_t limit) {
    // The first page is before an id that is beyond all: with `$2 = '' OR` SQLite would read all
    // that is newer.
    QUIRE_TRY(
        const auto rows,
        connection.query("SELECT id, at, kind, CASE kind WHEN 'grant' THEN posted ELSE "
                         "-posted END, CASE kind WHEN 'grant' THEN '' ELSE reference END, "
                         "description FROM transfers WHERE org_id = $1 AND "
                         // In the words of the index `entries`, which SQLite compares.
                         "(kind = 'grant' OR kind = 'usage' OR kind = 'overrun') "
                         "AND id < $2 ORDER BY id DESC LIMIT $3",
                         {org_id, after.empty() ? kBeyondAllIds : std::string_view(after), limit}));
    std::vector<Entry> entries;
    for (const Row& row : rows) {
        entries.push_back({row.text(0),
                           Timestamp{row.integer(1)},
                           row.text(2),
                           {row.integer(3)},
                           row.text(4),
                           row.text(5)});
    }
    return entries;
}

Result<std::vector<HoldRow>> read_holds(storage::Connection& connection, const std::string& owner,
                                        const std::string& after, std::int64_t limit) {
    QUIRE_TRY(const auto rows,
              connection.query("SELECT request_id, hold_id, org_id, project_id, key_id, model, "
                               "owner, idempotency_key, amount, output_tokens, price_version, "
                               "expires_at FROM holds WHERE ($1 = '' OR owner = $1) AND "
                               "request_id > $2 ORDER BY request_id LIMIT $3",
                               {owner, after, limit}));
    std::vector<HoldRow> holds;
    for (const Row& row : rows) holds.push_back(hold_of(row));
    return holds;
}

}  // namespace quire::credits
