#include "services/credits/ledger_store.hpp"

#include "base/assert.hpp"

#include <fmt/format.h>

#include <array>

namespace quire::credits {
namespace {

using storage::Row;
using storage::Value;
using storage::Values;

constexpr std::array<std::string_view, 4> kAccountNames{"prepaid", "issued", "revenue", "writeoff"};
constexpr std::array<std::string_view, 7> kKindNames{"grant",  "hold",    "usage",   "void",
                                                     "expire", "overrun", "writeoff"};

template <std::size_t N>
std::size_t index_of(const std::array<std::string_view, N>& names, std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    QUIRE_ASSERT(found != names.end(), "the store holds names of its own schema only");
    return static_cast<std::size_t>(found - names.begin());
}

Value integer_or_null(std::int64_t number) {
    if (number == 0) return std::monostate();
    return number;
}

/// Parameters are read while the statement runs, so they need not be copied.
std::string_view view(const std::string& text) { return text; }

Value text_or_null(std::string_view text) {
    if (text.empty()) return std::monostate();
    return text;
}

TransferRow transfer_of(const Row& row) {
    TransferRow out;
    out.sequence = row.integer(0);
    out.org_id = row.text(1);
    out.id = row.text(2);
    out.reference = row.text(3);
    out.slot = static_cast<Slot>(row.integer(4));
    out.kind = static_cast<TransferKind>(index_of(kKindNames, row.text(5)));
    out.debit_account = row.integer(6);
    out.credit_account = row.integer(7);
    out.pending = {row.integer(8)};
    out.posted = {row.integer(9)};
    out.at = {row.integer(10)};
    out.description = row.text(11);
    out.price_version = row.integer(12);
    if (!row.is_null(13)) {
        out.usage = TokenUsage{row.integer(13), row.integer(14), row.integer(15), row.integer(16),
                               row.integer(17) != 0};
    }
    out.project_id = row.text(18);
    out.key_id = row.text(19);
    return out;
}

constexpr std::string_view kTransferColumns =
    "seq, org_id, id, reference, slot, kind, debit_account, credit_account, pending, posted, at, "
    "description, price_version, input_tokens, output_tokens, cached_tokens, reasoning_tokens, "
    "is_estimated, project_id, key_id";

}  // namespace

std::string_view name_of(TransferKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

HoldRow hold_of(const Row& row) {
    return {row.text(0),      row.text(1),    row.text(2),     row.text(3),
            row.text(4),      row.text(5),    row.text(6),     row.text(7),
            {row.integer(8)}, row.integer(9), row.integer(10), Timestamp{row.integer(11)}};
}

Result<std::vector<AccountRow>> LedgerStore::load_accounts() {
    QUIRE_TRY(const auto rows,
              connection_->query("SELECT id, org_id, name, debits_pending, debits_posted, "
                                 "credits_pending, credits_posted FROM accounts"));
    std::vector<AccountRow> accounts;
    for (const Row& row : rows) {
        accounts.push_back({row.integer(0), row.text(1),
                            static_cast<AccountName>(index_of(kAccountNames, row.text(2))),
                            row.integer(3), row.integer(4), row.integer(5), row.integer(6)});
    }
    return accounts;
}

Result<void> LedgerStore::insert_account(const AccountRow& account) {
    QUIRE_TRY(
        [[maybe_unused]] const auto inserted,
        connection_->execute(
            "INSERT INTO accounts (org_id, name, id) VALUES ($1, $2, $3)",
            {account.org_id, std::string(kAccountNames[static_cast<std::size_t>(account.name)]),
             account.id}));
    return {};
}

Result<void> LedgerStore::update_account(const AccountRow& before, const AccountRow& after) {
    // Who was `before` is `after` now; RETURNING would cost SQLite a table of its own.
    QUIRE_TRY(const std::int64_t changed,
              connection_->execute(
                  "UPDATE accounts SET debits_pending = debits_pending + $2, "
                  "debits_posted = debits_posted + $3, credits_pending = credits_pending + $4, "
                  "credits_posted = credits_posted + $5 WHERE id = $1 AND (name <> 'prepaid' OR "
                  "debits_pending + $2 + debits_posted + $3 <= credits_posted + $5) "
                  "AND debits_pending = $6 AND debits_posted = $7 AND credits_pending = $8 "
                  "AND credits_posted = $9",
                  {after.id, after.debits_pending - before.debits_pending,
                   after.debits_posted - before.debits_posted,
                   after.credits_pending - before.credits_pending,
                   after.credits_posted - before.credits_posted, before.debits_pending,
                   before.debits_posted, before.credits_pending, before.credits_posted}));
    if (changed == 1) return {};
    return Error(ErrorCode::kInternalError,
                 fmt::format("ledger: account {} in memory is not the one in the store", after.id));
}

Result<bool> LedgerStore::insert_transfer(const TransferRow& row) {
    Value input, output, cached, reasoning, is_estimated;
    if (row.usage) {
        input = row.usage->input;
        output = row.usage->output;
        cached = row.usage->cached;
        reasoning = row.usage->reasoning;
        is_estimated = std::int64_t{row.usage->is_estimated};
    }
    QUIRE_TRY(
        const std::int64_t changed,
        connection_->execute(
            "INSERT INTO transfers (org_id, id, reference, slot, kind, debit_account, "
            "credit_account, pending, posted, at, description, price_version, input_tokens, "
            "output_tokens, cached_tokens, reasoning_tokens, is_estimated, project_id, key_id) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, "
            "$18, $19) ON CONFLICT (reference, slot) DO NOTHING",
            {view(row.org_id), view(row.id), view(row.reference),
             static_cast<std::int64_t>(row.slot), name_of(row.kind), row.debit_account,
             row.credit_account, row.pending.micros, row.posted.micros, row.at.micros,
             view(row.description), integer_or_null(row.price_version), std::move(input),
             std::move(output), std::move(cached), std::move(reasoning), std::move(is_estimated),
             text_or_null(row.project_id), text_or_null(row.key_id)}));
    return changed == 1;
}

Result<std::optional<TransferRow>> LedgerStore::find_transfer(const std::string& reference,
                                                              Slot slot) {
    static const std::string sql = fmt::format(
        "SELECT {} FROM transfers WHERE reference = $1 AND slot = $2", kTransferColumns);
    QUIRE_TRY(const auto rows,
              connection_->query(sql, {view(reference), static_cast<std::int64_t>(slot)}));
    if (rows.empty()) return std::optional<TransferRow>();
    return std::optional(transfer_of(rows.front()));
}

Result<std::optional<TransferRow>> LedgerStore::last_transfer() {
    static const std::string sql =
        fmt::format("SELECT {} FROM transfers ORDER BY seq DESC LIMIT 1", kTransferColumns);
    QUIRE_TRY(const auto rows, connection_->query(sql));
    if (rows.empty()) return std::optional<TransferRow>();
    return std::optional(transfer_of(rows.front()));
}

Result<std::string> LedgerStore::last_event_id() {
    QUIRE_TRY(const auto rows,
              connection_->query("SELECT event_id FROM outbox ORDER BY seq DESC LIMIT 1"));
    return rows.empty() ? std::string() : rows.front().text(0);
}

Result<std::vector<HoldRow>> LedgerStore::load_holds() {
    QUIRE_TRY(const auto rows,
              connection_->query("SELECT request_id, hold_id, org_id, project_id, key_id, model, "
                                 "owner, idempotency_key, amount, output_tokens, price_version, "
                                 "expires_at FROM holds"));
    std::vector<HoldRow> holds;
    for (const Row& row : rows) holds.push_back(hold_of(row));
    return holds;
}

Result<void> LedgerStore::insert_hold(const HoldRow& hold) {
    QUIRE_TRY(
        [[maybe_unused]] const auto inserted,
        connection_->execute(
            "INSERT INTO holds (request_id, hold_id, org_id, project_id, key_id, model, "
            "owner, idempotency_key, amount, output_tokens, price_version, expires_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            {view(hold.request_id), view(hold.hold_id), view(hold.org_id), view(hold.project_id),
             view(hold.key_id), view(hold.model), view(hold.owner), view(hold.idempotency_key),
             hold.amount.micros, hold.output_tokens, hold.price_version, hold.expires_at.micros}));
    return {};
}

Result<void> LedgerStore::delete_hold(const std::string& request_id) {
    QUIRE_TRY([[maybe_unused]] const auto deleted,
              connection_->execute("DELETE FROM holds WHERE request_id = $1", {view(request_id)}));
    return {};
}

Result<std::optional<IdempotencyRow>> LedgerStore::find_key(const std::string& project_id,
                                                            const std::string& key) {
    QUIRE_TRY(const auto rows, connection_->query("SELECT request_hash, request_id, at FROM "
                                                  "idempotency_keys WHERE project_id = $1 AND "
                                                  "key = $2",
                                                  {project_id, key}));
    if (rows.empty()) return std::optional<IdempotencyRow>();
    const Row& row = rows.front();
    return std::optional(
        IdempotencyRow{project_id, key, row.text(0), row.text(1), Timestamp{row.integer(2)}});
}

Result<void> LedgerStore::insert_key(const IdempotencyRow& row) {
    QUIRE_TRY([[maybe_unused]] const auto inserted,
              connection_->execute(
                  "INSERT INTO idempotency_keys (project_id, key, request_hash, request_id, at) "
                  "VALUES ($1, $2, $3, $4, $5)",
                  {row.project_id, row.key, row.request_hash, row.request_id, row.at.micros}));
    return {};
}

Result<void> LedgerStore::delete_key(const std::string& project_id, const std::string& key) {
    QUIRE_TRY(
        [[maybe_unused]] const auto deleted,
        connection_->execute("DELETE FROM idempotency_keys WHERE project_id = $1 AND key = $2",
                             {project_id, key}));
    return {};
}

Result<std::int64_t> LedgerStore::prune_keys(Timestamp before, std::int64_t limit) {
    return connection_->execute(
        "DELETE FROM idempotency_keys WHERE rowid IN (SELECT rowid FROM idempotency_keys k WHERE "
        "at < $1 AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.request_id = k.request_id) "
        "LIMIT $2)",
        {before.micros, limit});
}

Result<std::optional<Price>> LedgerStore::find_price(std::int64_t version) {
    QUIRE_TRY(const auto rows,
              connection_->query("SELECT version, input, output FROM prices WHERE version = $1",
                                 {version}));
    if (rows.empty()) return std::optional<Price>();
    const Row& row = rows.front();
    return std::optional(Price{row.integer(0), row.integer(1), row.integer(2)});
}

}  // namespace quire::credits
