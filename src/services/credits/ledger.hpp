#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/rng.hpp"
#include "services/credits/accounts.hpp"
#include "services/credits/ledger_store.hpp"
#include "services/credits/price_book.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace quire::credits {

/// Reserve before a request runs.
struct HoldOrder {
    std::string request_id;  ///< req_ + ULID; the same again finds the hold that is there
    std::string org_id;
    std::string project_id;
    std::string key_id;
    std::string model;
    std::string owner;            ///< who will settle it
    std::string idempotency_key;  ///< of one request per project, for 24 h or its life; "" = none
    std::string request_hash;
    Price price;
    std::int64_t input_tokens = 0;   ///< upper bound
    std::int64_t output_tokens = 0;  ///< wanted; lowered to what the balance affords
    std::chrono::microseconds ttl{0};
};

struct HoldAnswer {
    enum class Outcome {
        kAdmitted,
        kExists,     ///< this request was admitted before and is still open
        kCompleted,  ///< the request, or the first one with its idempotency key, is over
    };
    Outcome outcome = Outcome::kAdmitted;
    std::string hold_id;
    Money amount;
    std::int64_t output_tokens = 0;
    std::int64_t price_version = 0;
    Timestamp expires_at;
    std::string first_request_id;  ///< with kCompleted
};

/// What the settled event says of the request beside the money.
struct RequestFacts {
    std::string status;  ///< completed, blocked, failed, cancelled
    std::string model;
    std::string provider;
    std::string prompt;
    std::int64_t prompt_version = 0;
    std::string variant;
    std::string finish_reason;
};

struct SettleOrder {
    std::string request_id;
    TokenUsage usage;
    RequestFacts facts;  ///< for the event
    std::string traceparent;
};

struct GrantOrder {
    std::string org_id;
    Money amount;
    std::string reason;
    std::string idempotency_key;  ///< the same again books nothing and gives the first entry
    std::string traceparent;
};

/// One call of the ledger within a batch. `apply` decides and keeps its answer; `answer` is called
/// once, after the commit, with whether it is durable.
class LedgerOperation {
public:
    virtual ~LedgerOperation() = default;
    virtual void apply(class Ledger& ledger) = 0;
    virtual void answer(const Result<void>& committed) = 0;
};

/// Double entry in micro-credits with two-phase transfers: a hold is pending until it is settled,
/// voided or expired, exactly one of them. The model is TigerBeetle's (docs/reference of accounts
/// and transfers): available = credits_posted - debits_posted - debits_pending, guarded where a
/// hold is made, so that settling can never overdraw.
///
/// Synchronous, and free of threads, sockets and wall time: it is owned by one thread, and the
/// simulation runs it as it is. It is the only writer of its store, so it keeps balances and open
/// holds in memory and decides there; the store's guarded update is the second lock.
///
/// Ledger time begins at the later of the wall clock and the last time in the store, and goes on
/// with the steady clock: a wall clock that jumps moves no deadline.
class Ledger {
public:
    /// Opens the store anew; called at the start and after a failed write.
    using OpenStore = std::function<Result<std::unique_ptr<LedgerStore>>()>;

    Ledger(OpenStore open_store, const Clock& clock, Rng& rng);

    /// Opens the store and reads balances and open holds. kStorageUnavailable.
    Result<void> open();

    /// Applies the operations in one transaction, commits, and only then answers each. When the
    /// store fails, everything in the batch is undone, its memory is read again, and each answer is
    /// kStorageUnavailable: the same order may be given again, and happens once.
    void run(std::span<LedgerOperation* const> batch);

    // Within `LedgerOperation::apply` only. A refusal changes nothing.

    /// kInsufficientQuota (details balance, required), kIdempotencyInProgress,
    /// kIdempotencyKeyReused, kInvalidValue.
    Result<HoldAnswer> hold(const HoldOrder& order);
    /// Books the exact cost. What is above the hold is booked as an overrun from what is available,
    /// the rest to the operator's write-off. After the hold's expiry everything is booked so, as a
    /// late usage. The same usage again gets the same answer. kNotFound, kAlreadyCompleted (other
    /// usage, or voided), kInvalidValue.
    Result<PricedUsage> settle(const SettleOrder& order);
    /// Releases a hold; nothing there, released or expired before is no error. kAlreadyCompleted
    /// when it was settled before it expired.
    Result<void> release(const std::string& request_id);
    /// kInvalidValue for an amount that is not positive or does not fit,
    /// kIdempotencyKeyReused for the key with another amount.
    Result<TransferRow> grant(const GrantOrder& order);
    /// Releases up to `limit` holds whose time is over, and forgets idempotency keys older than a
    /// day; gives how many holds.
    std::size_t expire_due(std::size_t limit);

    // Between batches.

    /// When the next hold expires, for the owner's timer; nullopt when there is none.
    std::optional<std::chrono::microseconds> time_to_next_expiry() const;
    /// Whether a sweep would look for old idempotency keys: once a minute.
    bool is_pruning_due() const;
    Timestamp now() const;
    bool is_open() const { return store_ != nullptr; }

private:
    using Holds = std::unordered_map<std::string, HoldRow>;

    template <class T>
    Result<T> note(Result<T> result) {
        if (!result && !failure_) failure_.emplace(result.error());
        return result;
    }
    Result<void> apply_and_commit(std::span<LedgerOperation* const> batch);
    Result<void> load();
    void forget();

    Result<std::optional<HoldAnswer>> find_by_key(const HoldOrder& order);
    Result<HoldRow> plan(const HoldOrder& order);
    Result<bool> open_hold(const HoldOrder& order, HoldRow hold);
    Result<void> close_hold(const HoldRow& hold, TransferKind how, Money posted,
                            const std::optional<TokenUsage>& usage);
    HoldRow take(Holds::iterator open);
    Result<PricedUsage> settle_open(const SettleOrder& order, const HoldRow& hold,
                                    PricedUsage cost);
    Result<PricedUsage> settle_closed(const SettleOrder& order);
    Result<PricedUsage> settle_late(const SettleOrder& order, const TransferRow& expired);
    Result<PricedUsage> settled_before(const SettleOrder& order, const TransferRow& usage);
    Result<Money> book_excess(const TransferRow& first, Money excess);
    Result<PricedUsage> priced(const TokenUsage& usage, std::int64_t price_version);
    Result<void> tell_settled(const SettleOrder& order, const TransferRow& hold,
                              const PricedUsage& cost, Money written_off);

    TransferRow new_row(const std::string& org_id, const std::string& reference, Slot slot,
                        TransferKind kind);
    Result<bool> book(const TransferRow& row);
    Result<bool> book_once(const TransferRow& row);
    std::int64_t payer_of(const std::string& org_id) const;
    std::string next_id(std::string_view prefix);

    OpenStore open_store_;
    const Clock& clock_;
    Rng& rng_;
    std::unique_ptr<LedgerStore> store_;
    std::optional<Error> failure_;  ///< of the store, within the batch that runs

    Accounts accounts_;
    Holds holds_;
    std::set<std::pair<Timestamp, std::string_view>> expiries_;  ///< views of the keys of holds_
    std::unordered_map<std::int64_t, Price> prices_;

    std::optional<Timestamp> origin_;  ///< ledger time at origin_steady_
    SteadyTime origin_steady_;
    std::string last_ulid_;
    Timestamp pruned_at_;
};

}  // namespace quire::credits
