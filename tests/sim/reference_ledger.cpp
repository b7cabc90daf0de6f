#include "tests/sim/reference_ledger.hpp"

#include <algorithm>

namespace quire::sim {
namespace {

using credits::HoldAnswer;
using credits::HoldOrder;
using credits::PricedUsage;
using credits::Slot;
using credits::TokenUsage;
using credits::TransferKind;

__extension__ using Wide = __int128;

constexpr std::int64_t kLargest = 9'007'199'254'740'991;  // 2^53 - 1
constexpr std::int64_t kDayMicros = 86'400'000'000;

Wide cost(Wide input, Wide output, const credits::Price& price) {
    const Wide exact = input * price.input + output * price.output;
    return (exact + 999'999) / 1'000'000;
}

Error refused(ErrorCode code) { return {code, "by the reference"}; }

HoldAnswer completed(const std::string& request_id) {
    HoldAnswer answer;
    answer.outcome = HoldAnswer::Outcome::kCompleted;
    answer.first_request_id = request_id;
    return answer;
}

/// The most tokens that `budget` pays, by halving.
std::int64_t most_output(std::int64_t budget, const HoldOrder& order) {
    std::int64_t fits = 0, above = order.output_tokens + 1;
    while (above - fits > 1) {
        const std::int64_t middle = fits + (above - fits) / 2;
        (cost(order.input_tokens, middle, order.price) <= budget ? fits : above) = middle;
    }
    return fits;
}

}  // namespace

Result<HoldAnswer> ReferenceLedger::hold(const HoldOrder& order, Timestamp now) {
    latest_ = std::max(latest_, now);
    if (is_open(order.request_id)) {
        const Request& open = requests_.at(order.request_id);
        return HoldAnswer{HoldAnswer::Outcome::kExists,
                          "",
                          {open.amount},
                          open.output_tokens,
                          open.order.price.version,
                          open.expires_at,
                          ""};
    }
    if (order.input_tokens < 0 || order.output_tokens < 1 || order.ttl.count() <= 0) {
        return refused(ErrorCode::kInvalidValue);
    }
    auto earlier = find_by_key(order, now);
    if (earlier) return *std::move(earlier);
    if (requests_.contains(order.request_id)) return completed(order.request_id);
    return open_hold(order, now);
}

Result<HoldAnswer> ReferenceLedger::open_hold(const HoldOrder& order, Timestamp now) {
    const std::int64_t balance = available(order.org_id);
    const Wide required =
        cost(order.input_tokens, std::min<std::int64_t>(16, order.output_tokens), order.price);
    if (required > balance) {
        const auto shown = static_cast<std::int64_t>(required);
        return refused(ErrorCode::kInsufficientQuota)
            .with_detail("balance", std::to_string(balance))
            .with_detail("required", std::to_string(shown));
    }
    Request made{order, 0, most_output(balance, order), now + order.ttl, State::kOpen, {}};
    made.amount =
        static_cast<std::int64_t>(cost(order.input_tokens, made.output_tokens, order.price));
    ReferenceEntry entry = entry_of(made, Slot::kHold, TransferKind::kHold, now);
    entry.pending = made.amount;
    add(std::move(entry));
    if (!order.idempotency_key.empty()) {
        keys_[{order.project_id, order.idempotency_key}] = {order.request_hash, order.request_id,
                                                            now};
    }
    requests_[order.request_id] = made;
    return HoldAnswer{HoldAnswer::Outcome::kAdmitted,
                      "",
                      {made.amount},
                      made.output_tokens,
                      order.price.version,
                      made.expires_at,
                      ""};
}

/// A key counts for a day, and as long as its first request is open.
std::optional<Result<HoldAnswer>> ReferenceLedger::find_by_key(const HoldOrder& order,
                                                               Timestamp now) {
    const auto found = keys_.find({order.project_id, order.idempotency_key});
    if (order.idempotency_key.empty() || found == keys_.end()) return std::nullopt;
    const ReferenceKey& key = found->second;
    if (now.micros - key.at.micros >= kDayMicros && !is_open(key.request_id)) return std::nullopt;
    if (key.request_hash != order.request_hash) return refused(ErrorCode::kIdempotencyKeyReused);
    if (is_open(key.request_id)) return refused(ErrorCode::kIdempotencyInProgress);
    return completed(key.request_id);
}

Result<PricedUsage> ReferenceLedger::settle(const credits::SettleOrder& order, Timestamp now) {
    const auto found = requests_.find(order.request_id);
    if (found == requests_.end()) return refused(ErrorCode::kNotFound);
    Request& request = found->second;
    if (request.state == State::kVoided) return refused(ErrorCode::kAlreadyCompleted);
    const bool is_settled =
        request.state == State::kSettled || request.state == State::kSettledLate;
    if (is_settled && request.usage != order.usage) return refused(ErrorCode::kAlreadyCompleted);
    QUIRE_TRY(const std::int64_t total, priced(request, order.usage));
    PricedUsage answer{{total}, {}};
    if (is_settled) return answer;
    request.usage = order.usage;
    if (request.state == State::kOpen && now < request.expires_at) {
        const std::int64_t within = std::min(total, request.amount);
        end(request, State::kSettled, TransferKind::kUsage, within, order.usage, now);
        charge(request, total - within,
               entry_of(request, Slot::kOverrun, TransferKind::kOverrun, now));
        return answer;
    }
    if (request.state == State::kOpen) {
        end(request, State::kExpired, TransferKind::kExpire, 0, std::nullopt, now);
    }
    request.state = State::kSettledLate;
    ReferenceEntry late = entry_of(request, Slot::kLate, TransferKind::kUsage, now);
    late.usage = order.usage;
    charge(request, total, std::move(late));
    return answer;
}

Result<void> ReferenceLedger::release(const std::string& request_id, Timestamp now) {
    const auto found = requests_.find(request_id);
    if (found == requests_.end()) return {};
    Request& request = found->second;
    if (request.state == State::kSettled) return refused(ErrorCode::kAlreadyCompleted);
    if (request.state != State::kOpen) return {};
    end(request, State::kVoided, TransferKind::kVoid, 0, std::nullopt, now);
    const auto key = keys_.find({request.order.project_id, request.order.idempotency_key});
    if (key != keys_.end() && key->second.request_id == request_id) keys_.erase(key);
    return {};
}

Result<credits::TransferRow> ReferenceLedger::grant(const credits::GrantOrder& order,
                                                    Timestamp now) {
    const std::string reference = "grant:" + order.org_id + ":" + order.idempotency_key;
    const auto earlier = grants_.find(reference);
    if (earlier != grants_.end()) {
        if (earlier->second.posted == order.amount) return earlier->second;
        return refused(ErrorCode::kIdempotencyKeyReused);
    }
    const std::string account = "prepaid:" + order.org_id;
    const std::int64_t room = kLargest - balances_[account].credits_posted;
    if (order.amount.micros < 1 || order.amount.micros > room) {
        return refused(ErrorCode::kInvalidValue);
    }
    credits::TransferRow answer;
    answer.org_id = order.org_id;
    answer.posted = order.amount;
    grants_[reference] = answer;
    add({order.org_id, reference, Slot::kGrant, TransferKind::kGrant, "issued", account, 0,
         order.amount.micros, now, std::nullopt});
    return answer;
}

std::size_t ReferenceLedger::expire_due(std::size_t limit, Timestamp now) {
    latest_ = std::max(latest_, now);
    std::set<std::pair<Timestamp, std::string>> due;
    for (const auto& [id, request] : requests_) {
        if (request.state == State::kOpen && request.expires_at <= now) {
            due.emplace(request.expires_at, id);
        }
    }
    std::size_t expired = 0;
    for (const auto& [expires_at, id] : due) {
        if (expired == limit) break;
        end(requests_.at(id), State::kExpired, TransferKind::kExpire, 0, std::nullopt, now);
        ++expired;
    }
    return expired;
}

std::map<std::string, std::pair<std::int64_t, Timestamp>> ReferenceLedger::open_holds() const {
    std::map<std::string, std::pair<std::int64_t, Timestamp>> open;
    for (const auto& [id, request] : requests_) {
        if (request.state == State::kOpen) open[id] = {request.amount, request.expires_at};
    }
    return open;
}

bool ReferenceLedger::may_drop(const ReferenceKey& key) const {
    return latest_.micros - key.at.micros >= kDayMicros && !is_open(key.request_id);
}

void ReferenceLedger::keep_only(const ReferenceKeys& kept) {
    std::erase_if(keys_, [&kept](const auto& key) { return !kept.contains(key.first); });
}

bool ReferenceLedger::is_open(const std::string& request_id) const {
    const auto found = requests_.find(request_id);
    return found != requests_.end() && found->second.state == State::kOpen;
}

std::int64_t ReferenceLedger::available(const std::string& org_id) const {
    const auto found = balances_.find("prepaid:" + org_id);
    if (found == balances_.end()) return 0;
    const ReferenceBalance& balance = found->second;
    return balance.credits_posted - balance.debits_posted - balance.debits_pending;
}

Result<std::int64_t> ReferenceLedger::priced(const Request& request,
                                             const TokenUsage& usage) const {
    const bool is_sane = usage.cached >= 0 && usage.cached <= usage.input && usage.reasoning >= 0 &&
                         usage.reasoning <= usage.output;
    if (!is_sane) return refused(ErrorCode::kInvalidValue);
    const Wide total = cost(usage.input, usage.output, prices_.at(request.order.price.version));
    if (total > kLargest) return refused(ErrorCode::kInvalidValue);
    return static_cast<std::int64_t>(total);
}

void ReferenceLedger::add(ReferenceEntry entry) {
    ReferenceBalance& debited = balances_[entry.debit];
    debited.debits_pending += entry.pending;
    debited.debits_posted += entry.posted;
    ReferenceBalance& credited = balances_[entry.credit];
    credited.credits_pending += entry.pending;
    credited.credits_posted += entry.posted;
    entries_.push_back(std::move(entry));
}

void ReferenceLedger::end(Request& request, State state, TransferKind kind, std::int64_t posted,
                          std::optional<TokenUsage> usage, Timestamp now) {
    request.state = state;
    ReferenceEntry entry = entry_of(request, Slot::kResolution, kind, now);
    entry.pending = -request.amount;
    entry.posted = posted;
    entry.usage = usage;
    add(std::move(entry));
}

/// What no hold covers: the customer pays what there is, the operator loses the rest.
void ReferenceLedger::charge(const Request& request, std::int64_t excess, ReferenceEntry entry) {
    const std::int64_t paid = std::min(excess, available(request.order.org_id));
    ReferenceEntry loss = entry_of(request, Slot::kWriteOff, TransferKind::kWriteOff, entry.at);
    entry.posted = paid;
    if (paid > 0 || entry.slot == Slot::kLate) add(std::move(entry));
    if (paid == excess) return;
    loss.debit = "writeoff";
    loss.posted = excess - paid;
    add(std::move(loss));
}

ReferenceEntry ReferenceLedger::entry_of(const Request& request, Slot slot, TransferKind kind,
                                         Timestamp now) const {
    const std::string& org_id = request.order.org_id;
    return {org_id,
            request.order.request_id,
            slot,
            kind,
            "prepaid:" + org_id,
            "revenue",
            0,
            0,
            now,
            std::nullopt};
}

}  // namespace quire::sim
