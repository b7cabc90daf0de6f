#include "tests/sim/orders.hpp"

#include <fmt/format.h>

namespace quire::sim {
namespace {

using credits::GrantOrder;
using credits::HoldAnswer;
using credits::HoldOrder;
using credits::SettleOrder;

Outcome refusal_of(std::string_view operation, const Error& error) {
    Outcome outcome{fmt::format("{} {}", operation, error.name()), "", ""};
    for (const std::string_view detail : {"balance", "required"}) {
        if (error.detail(detail).empty()) continue;
        outcome.facts += fmt::format("{} {} ", detail, error.detail(detail));
    }
    return outcome;
}

Outcome outcome_of(const Result<HoldAnswer>& answer) {
    if (!answer) return refusal_of("hold", answer.error());
    if (answer->outcome == HoldAnswer::Outcome::kCompleted) {
        return {"hold completed", answer->first_request_id, ""};
    }
    const bool is_new = answer->outcome == HoldAnswer::Outcome::kAdmitted;
    return {is_new ? "hold admitted" : "hold exists",
            fmt::format("amount {} output {} price {} expires {}", answer->amount.micros,
                        answer->output_tokens, answer->price_version, answer->expires_at.micros),
            answer->hold_id};
}

Outcome outcome_of(const Result<credits::PricedUsage>& answer) {
    if (!answer) return refusal_of("settle", answer.error());
    return {"settle done", fmt::format("total {}", answer->total.micros), ""};
}

Outcome outcome_of(const Result<void>& answer) {
    if (!answer) return refusal_of("release", answer.error());
    return {"release done", "", ""};
}

Outcome outcome_of(const Result<credits::TransferRow>& answer) {
    if (!answer) return refusal_of("grant", answer.error());
    return {"grant done", fmt::format("{} to {}", answer->posted.micros, answer->org_id),
            answer->id};
}

Outcome outcome_of(std::size_t expired) {
    return {"sweep", fmt::format("expired {}", expired), ""};
}

struct ToText {
    std::string operator()(const HoldOrder& o) const {
        return fmt::format("hold {} of {} input {} output {} price {} ttl {} key '{}' hash {}",
                           o.request_id, o.org_id, o.input_tokens, o.output_tokens, o.price.version,
                           o.ttl.count(), o.idempotency_key, o.request_hash);
    }
    std::string operator()(const SettleOrder& o) const {
        return fmt::format("settle {} input {} output {} cached {} reasoning {}{}", o.request_id,
                           o.usage.input, o.usage.output, o.usage.cached, o.usage.reasoning,
                           o.usage.is_estimated ? " estimated" : "");
    }
    std::string operator()(const ReleaseOrder& o) const { return "release " + o.request_id; }
    std::string operator()(const GrantOrder& o) const {
        return fmt::format("grant {} to {} key {}", o.amount.micros, o.org_id, o.idempotency_key);
    }
    std::string operator()(const SweepOrder& o) const { return fmt::format("sweep {}", o.limit); }
};

struct Subject {
    std::string operator()(const HoldOrder& o) const { return o.request_id; }
    std::string operator()(const SettleOrder& o) const { return o.request_id; }
    std::string operator()(const ReleaseOrder& o) const { return o.request_id; }
    std::string operator()(const GrantOrder& o) const {
        return fmt::format("grant:{}:{}", o.org_id, o.idempotency_key);
    }
    std::string operator()(const SweepOrder& /*order*/) const { return ""; }
};

struct ToLedger {
    credits::Ledger& ledger;

    Outcome operator()(const HoldOrder& o) const { return outcome_of(ledger.hold(o)); }
    Outcome operator()(const SettleOrder& o) const {
        const auto answer = ledger.settle(o);
        Outcome outcome = outcome_of(answer);
        std::int64_t sum = 0;
        if (!answer) return outcome;
        for (const credits::PricedLine& line : answer->lines) sum += line.amount.micros;
        if (sum != answer->total.micros) outcome.facts += fmt::format(", lines {}", sum);
        return outcome;
    }
    Outcome operator()(const ReleaseOrder& o) const {
        return outcome_of(ledger.release(o.request_id));
    }
    Outcome operator()(const GrantOrder& o) const { return outcome_of(ledger.grant(o)); }
    Outcome operator()(const SweepOrder& o) const { return outcome_of(ledger.expire_due(o.limit)); }
};

struct ToReference {
    ReferenceLedger& ledger;
    Timestamp now;

    Outcome operator()(const HoldOrder& o) const { return outcome_of(ledger.hold(o, now)); }
    Outcome operator()(const SettleOrder& o) const { return outcome_of(ledger.settle(o, now)); }
    Outcome operator()(const ReleaseOrder& o) const {
        return outcome_of(ledger.release(o.request_id, now));
    }
    Outcome operator()(const GrantOrder& o) const { return outcome_of(ledger.grant(o, now)); }
    Outcome operator()(const SweepOrder& o) const {
        return outcome_of(ledger.expire_due(o.limit, now));
    }
};

}  // namespace

std::string to_text(const Order& order) { return std::visit(ToText(), order); }

std::string subject_of(const Order& order) { return std::visit(Subject(), order); }

Outcome apply(const Order& order, credits::Ledger& ledger) {
    return std::visit(ToLedger{ledger}, order);
}

Outcome apply(const Order& order, ReferenceLedger& ledger, Timestamp now) {
    return std::visit(ToReference{ledger, now}, order);
}

void ClientOperation::answer(const Result<void>& committed) {
    ++answers_;
    if (disk_.is_down()) {
        ignore(committed, "the machine is off");
    } else if (committed) {
        acknowledged_ = outcome_;
    } else {
        refusal_ = committed.error();
    }
}

}  // namespace quire::sim
