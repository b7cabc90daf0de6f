#pragma once

#include "base/clock.hpp"
#include "base/money.hpp"
#include "base/result.hpp"
#include "services/credits/price_book.hpp"
#include "storage/connection.hpp"
#include "storage/outbox.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire::credits {

/// A tenant has one prepaid account; the others are the operator's.
enum class AccountName { kPrepaid, kIssued, kRevenue, kWriteOff };

/// Double entry: what was debited and credited so far, and what is pending of each.
struct AccountRow {
    std::int64_t id = 0;
    std::string org_id;  ///< "" for the operator's
    AccountName name = AccountName::kPrepaid;
    std::int64_t debits_pending = 0;
    std::int64_t debits_posted = 0;
    std::int64_t credits_pending = 0;
    std::int64_t credits_posted = 0;

    /// What a new hold may take. Of prepaid accounts never below 0.
    Money available() const { return {credits_posted - debits_posted - debits_pending}; }
    bool operator==(const AccountRow&) const = default;
};

/// What a transfer is to its reference: each slot is filled at most once, so that nothing happens
/// twice.
enum class Slot {
    kGrant = 0,       ///< reference: the grant's idempotency key
    kHold = 1,        ///< this and the following: the request
    kResolution = 2,  ///< usage, void or expire: how the hold ended
    kOverrun = 3,
    kWriteOff = 4,
    kLate = 5,  ///< usage that came after the hold had expired
};

enum class TransferKind { kGrant, kHold, kUsage, kVoid, kExpire, kOverrun, kWriteOff };

/// An immutable line of the ledger. It moves `pending` (negative: releases) and `posted` from the
/// debit account to the credit account.
struct TransferRow {
    std::int64_t sequence = 0;  ///< commit order; set by the store
    std::string org_id;
    std::string id;  ///< txn_ + ULID, strictly increasing in commit order
    std::string reference;
    Slot slot = Slot::kGrant;
    TransferKind kind = TransferKind::kGrant;
    std::int64_t debit_account = 0;
    std::int64_t credit_account = 0;
    Money pending;
    Money posted;
    Timestamp at;
    std::string description;
    std::int64_t price_version = 0;   ///< of hold, usage and expire
    std::optional<TokenUsage> usage;  ///< of usage
    std::string project_id;           ///< of hold
    std::string key_id;               ///< of hold
};

/// A hold that is not resolved yet.
struct HoldRow {
    std::string request_id;
    std::string hold_id;
    std::string org_id;
    std::string project_id;
    std::string key_id;
    std::string model;
    std::string owner;
    std::string idempotency_key;
    Money amount;
    std::int64_t output_tokens = 0;
    std::int64_t price_version = 0;
    Timestamp expires_at;
};

/// The request that an idempotency key was first used for.
struct IdempotencyRow {
    std::string project_id;
    std::string key;
    std::string request_hash;
    std::string request_id;
    Timestamp at;
};

std::string_view name_of(TransferKind kind);
/// A row of `holds` with its columns in the order of HoldRow.
HoldRow hold_of(const storage::Row& row);

/// The SQL of the ledger: inserts what it is given; ids, times and decisions are made above.
/// Synchronous, for one thread; the caller begins and ends transactions.
class LedgerStore {
public:
    explicit LedgerStore(std::unique_ptr<storage::Connection> connection)
        : connection_(std::move(connection)) {}

    Result<void> begin() { return connection_->begin(true); }
    Result<void> commit() { return connection_->commit(); }
    void roll_back() { connection_->roll_back(); }
    storage::Connection& connection() { return *connection_; }

    Result<std::vector<AccountRow>> load_accounts();
    Result<void> insert_account(const AccountRow& account);
    /// Adds what changed between the two. The statement itself refuses to overdraw a prepaid
    /// account; then, and when the store's balances are not those of `after`, the answer is
    /// kInternalError: memory and store have parted, which is a bug.
    Result<void> update_account(const AccountRow& before, const AccountRow& after);

    /// False, and nothing written, when the slot of the reference is filled.
    Result<bool> insert_transfer(const TransferRow& transfer);
    Result<std::optional<TransferRow>> find_transfer(const std::string& reference, Slot slot);
    Result<std::optional<TransferRow>> last_transfer();
    /// "" when there is none.
    Result<std::string> last_event_id();

    Result<std::vector<HoldRow>> load_holds();
    Result<void> insert_hold(const HoldRow& hold);
    Result<void> delete_hold(const std::string& request_id);

    Result<std::optional<IdempotencyRow>> find_key(const std::string& project_id,
                                                   const std::string& key);
    Result<void> insert_key(const IdempotencyRow& row);
    Result<void> delete_key(const std::string& project_id, const std::string& key);
    /// Deletes up to `limit` keys older than `before` whose requests are over; gives how many.
    Result<std::int64_t> prune_keys(Timestamp before, std::int64_t limit);

    Result<std::optional<Price>> find_price(std::int64_t version);
    Result<void> append_event(const storage::OutboxRow& event) {
        return storage::append_event(*connection_, event);
    }

private:
    std::unique_ptr<storage::Connection> connection_;
};

}  // namespace quire::credits
