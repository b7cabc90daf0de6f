#pragma once

#include "services/credits/ledger.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace quire::sim {

/// A line of the ledger, its accounts by name: `issued`, `revenue`, `writeoff`, `prepaid:ORG`.
struct ReferenceEntry {
    std::string org_id;
    std::string reference;
    credits::Slot slot = credits::Slot::kGrant;
    credits::TransferKind kind = credits::TransferKind::kGrant;
    std::string debit;
    std::string credit;
    std::int64_t pending = 0;
    std::int64_t posted = 0;
    Timestamp at;
    std::optional<credits::TokenUsage> usage;

    bool operator==(const ReferenceEntry&) const = default;
};

/// pending and posted of both sides, in that order
struct ReferenceBalance {
    std::int64_t debits_pending = 0;
    std::int64_t debits_posted = 0;
    std::int64_t credits_pending = 0;
    std::int64_t credits_posted = 0;

    bool operator==(const ReferenceBalance&) const = default;
};

/// The request that an idempotency key was first used for.
struct ReferenceKey {
    std::string request_hash;
    std::string request_id;
    Timestamp at;

    bool operator==(const ReferenceKey&) const = default;
};

/// By project and key.
using ReferenceKeys = std::map<std::pair<std::string, std::string>, ReferenceKey>;

/// What credits::Ledger must do, said as simply as possible: maps and a vector, no store, no
/// failures. Balances are added up from the entries; costs and grants are worked out anew here. It
/// is told the time. A copy is another possible world.
class ReferenceLedger {
public:
    explicit ReferenceLedger(std::map<std::int64_t, credits::Price> prices)
        : prices_(std::move(prices)) {}

    // As credits::Ledger has them; of an answer only what the caller can compare is filled in.
    Result<credits::HoldAnswer> hold(const credits::HoldOrder& order, Timestamp now);
    Result<credits::PricedUsage> settle(const credits::SettleOrder& order, Timestamp now);
    Result<void> release(const std::string& request_id, Timestamp now);
    Result<credits::TransferRow> grant(const credits::GrantOrder& order, Timestamp now);
    std::size_t expire_due(std::size_t limit, Timestamp now);

    const std::vector<ReferenceEntry>& entries() const { return entries_; }
    /// Of every account that an entry names.
    const std::map<std::string, ReferenceBalance>& balances() const { return balances_; }
    /// Open holds: amount and expiry.
    std::map<std::string, std::pair<std::int64_t, Timestamp>> open_holds() const;

    /// Those that were never freed by a release.
    const ReferenceKeys& keys() const { return keys_; }
    /// Whether the ledger may have dropped the key: a day old once, and its request is over.
    bool may_drop(const ReferenceKey& key) const;
    /// Drops the keys that the ledger dropped. They stay dropped when a restart sets the time back.
    void keep_only(const ReferenceKeys& kept);

private:
    enum class State { kOpen, kSettled, kVoided, kExpired, kSettledLate };
    struct Request {
        credits::HoldOrder order;
        std::int64_t amount = 0;
        std::int64_t output_tokens = 0;
        Timestamp expires_at;
        State state = State::kOpen;
        credits::TokenUsage usage;
    };
    std::optional<Result<credits::HoldAnswer>> find_by_key(const credits::HoldOrder& order,
                                                           Timestamp now);
    Result<credits::HoldAnswer> open_hold(const credits::HoldOrder& order, Timestamp now);
    bool is_open(const std::string& request_id) const;
    std::int64_t available(const std::string& org_id) const;
    Result<std::int64_t> priced(const Request& request, const credits::TokenUsage& usage) const;
    void add(ReferenceEntry entry);
    void end(Request& request, State state, credits::TransferKind kind, std::int64_t posted,
             std::optional<credits::TokenUsage> usage, Timestamp now);
    void charge(const Request& request, std::int64_t excess, ReferenceEntry entry);
    ReferenceEntry entry_of(const Request& request, credits::Slot slot, credits::TransferKind kind,
                            Timestamp now) const;

    std::map<std::int64_t, credits::Price> prices_;
    std::vector<ReferenceEntry> entries_;
    std::map<std::string, ReferenceBalance> balances_;
    std::map<std::string, Request> requests_;
    ReferenceKeys keys_;
    Timestamp latest_;  ///< that it was told of
    std::map<std::string, credits::TransferRow> grants_;
};

}  // namespace quire::sim
