#include "services/credits/ledger.hpp"

#include "base/assert.hpp"
#include "base/id.hpp"
#include "services/credits/credits_events.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quire::credits {
namespace {

using std::chrono::microseconds;

/// Fewer output tokens than this are not worth a request.
constexpr std::int64_t kOutputTokensMin = 16;
constexpr std::chrono::hours kKeyLife{24};
constexpr std::chrono::minutes kPruneEvery{1};
constexpr std::int64_t kPruneMax = 1000;
constexpr std::chrono::seconds kPruneAgain{1};  ///< where there were as many
/// Money is a JSON integer, and JavaScript reads those exactly below 2^53.
constexpr std::int64_t kBalanceMax = (std::int64_t{1} << 53) - 1;

/// Beyond it the operator's sums could overflow. Reached by absurd usage only.
constexpr std::int64_t kEarnedMax = std::int64_t{1} << 62;

HoldAnswer answer_of(const HoldRow& hold, HoldAnswer::Outcome outcome) {
    return {outcome,
            hold.hold_id,
            hold.amount,
            hold.output_tokens,
            hold.price_version,
            hold.expires_at,
            outcome == HoldAnswer::Outcome::kCompleted ? hold.request_id : ""};
}

HoldAnswer completed(std::string first_request_id) {
    HoldAnswer answer;
    answer.outcome = HoldAnswer::Outcome::kCompleted;
    answer.first_request_id = std::move(first_request_id);
    return answer;
}

Error over(const std::string& request_id, std::string_view how) {
    return {ErrorCode::kAlreadyCompleted, fmt::format("the hold of {} is {}", request_id, how)};
}

}  // namespace

Ledger::Ledger(OpenStore open_store, const Clock& clock, Rng& rng)
    : open_store_(std::move(open_store)), clock_(clock), rng_(rng) {}

// ---- life ------------------------------------------------------------------------------------

Result<void> Ledger::open() {
    forget();
    QUIRE_TRY(store_, open_store_());
    auto loaded = load();
    if (!loaded) forget();
    return loaded;
}

Result<void> Ledger::load() {
    const auto loaded = accounts_.load(*store_);
    if (!loaded) return loaded;
    QUIRE_TRY(auto holds, store_->load_holds());
    for (HoldRow& hold : holds) {
        const std::string id = hold.request_id;
        const auto placed = holds_.emplace(id, std::move(hold)).first;
        expiries_.emplace(placed->second.expires_at, placed->first);
    }
    QUIRE_TRY(const auto last, store_->last_transfer());
    if (last) last_ulid_ = ulid_of(last->id, "txn").value_or("");
    // Events take ids from the same row, and the last one came after its transfer.
    QUIRE_TRY(const std::string event_id, store_->last_event_id());
    last_ulid_ = std::max(last_ulid_, std::string(ulid_of(event_id, "evt").value_or("")));
    if (!origin_) {
        origin_ = std::max(clock_.now(), last ? last->at : Timestamp());
        origin_steady_ = clock_.steady();
        pruned_at_ = *origin_;
    }
    return {};
}

void Ledger::forget() {
    if (store_) store_->roll_back();
    store_.reset();
    accounts_.forget();
    expiries_.clear();
    holds_.clear();
    prices_.clear();
    failure_.reset();
}

Timestamp Ledger::now() const {
    if (!origin_) return clock_.now();
    return *origin_ + std::chrono::duration_cast<microseconds>(clock_.steady() - origin_steady_);
}

std::optional<microseconds> Ledger::time_to_next_expiry() const {
    if (expiries_.empty()) return std::nullopt;
    return std::max(microseconds(0), expiries_.begin()->first - now());
}

bool Ledger::is_pruning_due() const { return pruned_at_ + kPruneEvery <= now(); }

// ---- batches ---------------------------------------------------------------------------------

void Ledger::run(std::span<LedgerOperation* const> batch) {
    Result<void> done;
    if (!store_) done = open();
    if (done) done = apply_and_commit(batch);
    if (!done) forget();  // the next batch reads the store anew
    if (!done && done.error().code() != ErrorCode::kInternalError) {
        done = Error(ErrorCode::kStorageUnavailable,
                     fmt::format("the ledger cannot be written: {}", done.error().message()))
                   .with_retry_after(std::chrono::seconds(1));
    }
    for (LedgerOperation* operation : batch) operation->answer(done);
}

Result<void> Ledger::apply_and_commit(std::span<LedgerOperation* const> batch) {
    const auto begun = store_->begin();
    if (!begun) return begun;
    for (LedgerOperation* operation : batch) {
        operation->apply(*this);
        if (failure_) return *failure_;
    }
    const auto written = accounts_.write(*store_);
    if (!written) return written;
    const auto committed = store_->commit();
    if (!committed) return committed;
    accounts_.keep();
    return {};
}

// ---- holds -----------------------------------------------------------------------------------

Result<HoldAnswer> Ledger::hold(const HoldOrder& order) {
    const auto open = holds_.find(order.request_id);
    if (open != holds_.end()) return answer_of(open->second, HoldAnswer::Outcome::kExists);
    if (order.input_tokens < 0 || order.output_tokens < 1 || order.ttl <= microseconds(0)) {
        return Error(ErrorCode::kInvalidValue,
                     "a hold needs input tokens >= 0, output tokens >= 1 and a time to live");
    }
    QUIRE_TRY(auto earlier, find_by_key(order));
    if (earlier) return *std::move(earlier);
    auto hold = plan(order);
    if (!hold || !accounts_.find(order.org_id)) {
        QUIRE_TRY(const auto closed, note(store_->find_transfer(order.request_id, Slot::kHold)));
        if (closed) return completed(order.request_id);
    }
    if (!hold) return hold.error();
    const HoldAnswer answer = answer_of(*hold, HoldAnswer::Outcome::kAdmitted);
    QUIRE_TRY(const bool is_new, open_hold(order, *std::move(hold)));
    if (!is_new) return completed(order.request_id);
    return answer;
}

/// What an earlier request with the same key makes of this one; nullopt: go on.
Result<std::optional<HoldAnswer>> Ledger::find_by_key(const HoldOrder& order) {
    if (order.idempotency_key.empty()) return std::optional<HoldAnswer>();
    QUIRE_TRY(const auto row, note(store_->find_key(order.project_id, order.idempotency_key)));
    if (!row) return std::optional<HoldAnswer>();
    if (row->at + kKeyLife <= now() && !holds_.contains(row->request_id)) {
        const auto gone = note(store_->delete_key(order.project_id, order.idempotency_key));
        if (!gone) return gone.error();
        return std::optional<HoldAnswer>();
    }
    if (row->request_hash != order.request_hash) {
        return Error(ErrorCode::kIdempotencyKeyReused,
                     "this Idempotency-Key was used for another request; take a new one");
    }
    if (holds_.contains(row->request_id)) {
        return Error(ErrorCode::kIdempotencyInProgress,
                     fmt::format("the first request with this Idempotency-Key, {}, still runs",
                                 row->request_id))
            .with_retry_after(std::chrono::seconds(1));
    }
    return std::optional(completed(row->request_id));
}

/// Decides the amount, and whether the balance affords it.
Result<HoldRow> Ledger::plan(const HoldOrder& order) {
    const Money balance = accounts_.available(order.org_id);
    const std::int64_t least = std::min(kOutputTokensMin, order.output_tokens);
    const std::int64_t granted =
        affordable_output(balance, order.input_tokens, order.output_tokens, order.price);
    if (granted < least) {
        const std::array<PricedTokens, 2> needed{
            {{order.input_tokens, order.price.input}, {least, order.price.output}}};
        const auto required = cost_of(needed).value_or(Money{kBalanceMax});
        return Error(ErrorCode::kInsufficientQuota,
                     fmt::format("the request needs {} micro-credits, {} are available",
                                 required.micros, balance.micros))
            .with_detail("balance", fmt::to_string(balance.micros))
            .with_detail("required", fmt::to_string(required.micros));
    }
    const std::array<PricedTokens, 2> most{
        {{order.input_tokens, order.price.input}, {granted, order.price.output}}};
    const auto amount = cost_of(most);
    QUIRE_ASSERT(amount && *amount <= balance, "what is affordable fits the balance");
    HoldRow hold;
    hold.request_id = order.request_id;
    hold.hold_id = "hold_" + order.request_id.substr(order.request_id.find('_') + 1);
    hold.org_id = order.org_id;
    hold.project_id = order.project_id;
    hold.key_id = order.key_id;
    hold.model = order.model;
    hold.owner = order.owner;
    hold.idempotency_key = order.idempotency_key;
    hold.amount = *amount;
    hold.output_tokens = granted;
    hold.price_version = order.price.version;
    hold.expires_at = now() + order.ttl;
    return hold;
}

/// False, and nothing changed, when the request was held before: the insertion sees it, so that the
/// usual hold needs no look-up of its own.
Result<bool> Ledger::open_hold(const HoldOrder& order, HoldRow hold) {
    QUIRE_TRY(const AccountRow* payer, note(accounts_.find_or_open(*store_, order.org_id)));
    TransferRow row = new_row(order.org_id, order.request_id, Slot::kHold, TransferKind::kHold);
    row.debit_account = payer->id;
    row.credit_account = kRevenueId;
    row.pending = hold.amount;
    row.description = order.model;
    row.price_version = order.price.version;
    row.project_id = order.project_id;
    row.key_id = order.key_id;
    QUIRE_TRY(const bool is_new, book_once(row));
    if (!is_new) return false;
    const auto inserted = note(store_->insert_hold(hold));
    if (!inserted) return inserted.error();
    if (!order.idempotency_key.empty()) {
        const auto keyed = note(store_->insert_key({order.project_id, order.idempotency_key,
                                                    order.request_hash, order.request_id, now()}));
        if (!keyed) return keyed.error();
    }
    const std::string id = hold.request_id;
    const auto placed = holds_.emplace(id, std::move(hold)).first;
    expiries_.emplace(placed->second.expires_at, placed->first);
    return true;
}

/// The one way out of a hold: its resolution, the pending money released, `posted` of it taken.
Result<void> Ledger::close_hold(const HoldRow& hold, TransferKind how, Money posted,
                                const std::optional<TokenUsage>& usage) {
    TransferRow row = new_row(hold.org_id, hold.request_id, Slot::kResolution, how);
    row.debit_account = payer_of(hold.org_id);
    row.credit_account = kRevenueId;
    row.pending = {-hold.amount.micros};
    row.posted = posted;
    row.description = hold.model;
    row.price_version = hold.price_version;
    row.usage = usage;
    QUIRE_TRY([[maybe_unused]] const bool booked, book(row));
    return note(store_->delete_hold(hold.request_id));
}

/// Out of memory, to be closed in the store; a failure there has everything read again.
HoldRow Ledger::take(Holds::iterator open) {
    expiries_.erase({open->second.expires_at, open->first});
    return std::move(holds_.extract(open).mapped());
}

Result<void> Ledger::release(const std::string& request_id) {
    const auto open = holds_.find(request_id);
    if (open != holds_.end()) {
        const HoldRow hold = take(open);
        const auto closed = close_hold(hold, TransferKind::kVoid, Money(), std::nullopt);
        if (!closed || hold.idempotency_key.empty()) return closed;
        return note(store_->delete_key(hold.project_id, hold.idempotency_key));
    }
    QUIRE_TRY(const auto end, note(store_->find_transfer(request_id, Slot::kResolution)));
    if (end && end->kind == TransferKind::kUsage) return over(request_id, "settled");
    return {};
}

std::size_t Ledger::expire_due(std::size_t limit) {
    std::size_t expired = 0;
    const Timestamp time = now();
    while (expired < limit && !expiries_.empty() && expiries_.begin()->first <= time) {
        const HoldRow hold = take(holds_.find(std::string(expiries_.begin()->second)));
        const auto closed = close_hold(hold, TransferKind::kExpire, Money(), std::nullopt);
        if (!closed) return expired;
        ++expired;
    }
    if (is_pruning_due()) {
        const auto pruned = note(store_->prune_keys(time - kKeyLife, kPruneMax));
        const bool has_more = pruned && *pruned >= kPruneMax;
        pruned_at_ = has_more ? time - kPruneEvery + kPruneAgain : time;
    }
    return expired;
}

// ---- settling --------------------------------------------------------------------------------

Result<PricedUsage> Ledger::settle(const SettleOrder& order) {
    const auto open = holds_.find(order.request_id);
    if (open == holds_.end()) return settle_closed(order);
    // Priced before anything is written: a refusal changes nothing.
    QUIRE_TRY(PricedUsage cost, priced(order.usage, open->second.price_version));
    const HoldRow hold = take(open);
    if (now() < hold.expires_at) return settle_open(order, hold, std::move(cost));
    const auto closed = close_hold(hold, TransferKind::kExpire, Money(), std::nullopt);
    if (!closed) return closed.error();
    return settle_closed(order);
}

Result<PricedUsage> Ledger::settle_open(const SettleOrder& order, const HoldRow& hold,
                                        PricedUsage cost) {
    const Money within = std::min(cost.total, hold.amount);
    const auto closed = close_hold(hold, TransferKind::kUsage, within, order.usage);
    if (!closed) return closed.error();
    Money written_off;
    if (cost.total > within) {
        TransferRow excess =
            new_row(hold.org_id, hold.request_id, Slot::kOverrun, TransferKind::kOverrun);
        excess.description = hold.model;
        QUIRE_TRY(written_off, book_excess(excess, {cost.total.micros - within.micros}));
    }
    TransferRow whose;
    whose.org_id = hold.org_id;
    whose.project_id = hold.project_id;
    whose.key_id = hold.key_id;
    const auto told = tell_settled(order, whose, cost, written_off);
    if (!told) return told.error();
    return cost;
}

Result<PricedUsage> Ledger::settle_closed(const SettleOrder& order) {
    QUIRE_TRY(const auto end, note(store_->find_transfer(order.request_id, Slot::kResolution)));
    if (!end) {
        return Error(ErrorCode::kNotFound,
                     fmt::format("the request {} holds no credits", order.request_id));
    }
    if (end->kind == TransferKind::kUsage) return settled_before(order, *end);
    if (end->kind == TransferKind::kVoid) return over(order.request_id, "voided");
    QUIRE_TRY(const auto late, note(store_->find_transfer(order.request_id, Slot::kLate)));
    if (late) return settled_before(order, *late);
    return settle_late(order, *end);
}

/// The hold has expired: nothing is reserved any more, so everything is excess.
Result<PricedUsage> Ledger::settle_late(const SettleOrder& order, const TransferRow& expired) {
    QUIRE_TRY(PricedUsage cost, priced(order.usage, expired.price_version));
    TransferRow late = new_row(expired.org_id, order.request_id, Slot::kLate, TransferKind::kUsage);
    late.description = expired.description;
    late.price_version = expired.price_version;
    late.usage = order.usage;
    QUIRE_TRY(const Money written_off, book_excess(late, cost.total));
    QUIRE_TRY(const auto hold, note(store_->find_transfer(order.request_id, Slot::kHold)));
    QUIRE_ASSERT(hold, "what has expired was held");
    const auto told = tell_settled(order, *hold, cost, written_off);
    if (!told) return told.error();
    return cost;
}

Result<PricedUsage> Ledger::settled_before(const SettleOrder& order, const TransferRow& usage) {
    if (usage.usage != order.usage) return over(order.request_id, "settled with other usage");
    return priced(*usage.usage, usage.price_version);
}

/// Books what no hold covers: from what is available, as `first` says, and the rest as the
/// operator's loss, which it gives.
Result<Money> Ledger::book_excess(const TransferRow& first, Money excess) {
    const Money paid = std::min(excess, accounts_.available(first.org_id));
    if (paid.micros > 0 || first.slot == Slot::kLate) {
        TransferRow row = first;
        row.debit_account = payer_of(first.org_id);
        row.credit_account = kRevenueId;
        row.posted = paid;
        QUIRE_TRY([[maybe_unused]] const bool booked, book(row));
    }
    if (paid == excess) return Money();
    TransferRow row =
        new_row(first.org_id, first.reference, Slot::kWriteOff, TransferKind::kWriteOff);
    row.debit_account = kWriteOffId;
    row.credit_account = kRevenueId;
    row.posted = {excess.micros - paid.micros};
    row.description = first.description;
    QUIRE_TRY([[maybe_unused]] const bool booked, book(row));
    return row.posted;
}

Result<PricedUsage> Ledger::priced(const TokenUsage& usage, std::int64_t price_version) {
    auto known = prices_.find(price_version);
    if (known == prices_.end()) {
        QUIRE_TRY(const auto price, note(store_->find_price(price_version)));
        QUIRE_ASSERT(price, "a hold's price version is in the price book");
        known = prices_.emplace(price_version, *price).first;
    }
    auto cost = price_usage(usage, known->second);
    const std::int64_t earned = accounts_.at(kRevenueId).credits_posted;
    if (!cost || cost->total.micros > kBalanceMax || earned > kEarnedMax) {
        return Error(ErrorCode::kInvalidValue,
                     "usage must not be negative, its parts not greater than the whole, and its "
                     "price below 2^53 micro-credits");
    }
    return *std::move(cost);
}

Result<void> Ledger::tell_settled(const SettleOrder& order, const TransferRow& hold,
                                  const PricedUsage& cost, Money written_off) {
    storage::OutboxRow event = settled_event(order, hold, cost, written_off);
    event.event_id = next_id("evt");
    event.created_at = now();
    return note(store_->append_event(event));
}

// ---- grants ----------------------------------------------------------------------------------

Result<TransferRow> Ledger::grant(const GrantOrder& order) {
    const std::string reference = fmt::format("grant:{}:{}", order.org_id, order.idempotency_key);
    QUIRE_TRY(const auto earlier, note(store_->find_transfer(reference, Slot::kGrant)));
    if (earlier && earlier->posted == order.amount) return *earlier;
    if (earlier) {
        return Error(ErrorCode::kIdempotencyKeyReused,
                     fmt::format("this key granted {} before", earlier->posted.micros));
    }
    const AccountRow* known = accounts_.find(order.org_id);
    const std::int64_t granted = known ? known->credits_posted : 0;
    if (order.amount.micros <= 0 || order.amount.micros > kBalanceMax - granted) {
        return Error(ErrorCode::kInvalidValue,
                     fmt::format("the amount is {} micro-credits; it must be 1 to {}",
                                 order.amount.micros, kBalanceMax - granted))
            .with_param("amount");
    }
    QUIRE_TRY(const AccountRow* receiver, note(accounts_.find_or_open(*store_, order.org_id)));
    TransferRow row = new_row(order.org_id, reference, Slot::kGrant, TransferKind::kGrant);
    row.debit_account = kIssuedId;
    row.credit_account = receiver->id;
    row.posted = order.amount;
    row.description = order.reason;
    QUIRE_TRY([[maybe_unused]] const bool booked, book(row));
    storage::OutboxRow event = granted_event(row, order.traceparent);
    event.event_id = next_id("evt");
    event.created_at = now();
    const auto told = note(store_->append_event(event));
    if (!told) return told.error();
    return row;
}

// ---- booking ---------------------------------------------------------------------------------

TransferRow Ledger::new_row(const std::string& org_id, const std::string& reference, Slot slot,
                            TransferKind kind) {
    TransferRow row;
    row.org_id = org_id;
    row.id = next_id("txn");
    row.reference = reference;
    row.slot = slot;
    row.kind = kind;
    row.at = now();
    return row;
}

/// Writes the line and moves both balances.
Result<bool> Ledger::book(const TransferRow& row) {
    QUIRE_TRY(const bool is_new, book_once(row));
    QUIRE_ASSERT(is_new, "whether a slot is filled was looked at before");
    return true;
}

/// The same; false, and nothing changed, where the slot is filled.
Result<bool> Ledger::book_once(const TransferRow& row) {
    QUIRE_TRY(const bool is_new, note(store_->insert_transfer(row)));
    if (!is_new) return false;
    accounts_.move(row);
    return true;
}

/// Who held has an account.
std::int64_t Ledger::payer_of(const std::string& org_id) const {
    const AccountRow* payer = accounts_.find(org_id);
    QUIRE_ASSERT(payer, "who holds credits has an account");
    return payer->id;
}

std::string Ledger::next_id(std::string_view prefix) {
    last_ulid_ = next_ulid(last_ulid_, now(), rng_);
    std::string id(prefix);
    id += '_';
    id += last_ulid_;
    return id;
}

}  // namespace quire::credits
