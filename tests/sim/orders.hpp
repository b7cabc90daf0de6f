#pragma once

#include "services/credits/ledger.hpp"
#include "tests/sim/reference_ledger.hpp"
#include "tests/sim/simulated_disk.hpp"

#include <optional>
#include <string>
#include <variant>

namespace quire::sim {

struct ReleaseOrder {
    std::string request_id;
};

/// Expires what is due.
struct SweepOrder {
    std::size_t limit = 0;
};

using Order = std::variant<credits::HoldOrder, credits::SettleOrder, ReleaseOrder,
                           credits::GrantOrder, SweepOrder>;

/// What the ledger answered. Equal texts mean equal answers.
struct Outcome {
    std::string kind;   ///< for the counters: `hold admitted`, `settle not_found`
    std::string facts;  ///< what the reference knows too: amounts, tokens, times
    std::string id;     ///< what only the ledger knows: the id of a hold or a grant
};

std::string to_text(const Order& order);
/// What it is about: a request, or a grant's key; "" for a sweep.
std::string subject_of(const Order& order);

Outcome apply(const Order& order, credits::Ledger& ledger);
Outcome apply(const Order& order, ReferenceLedger& ledger, Timestamp now);

/// An order in a batch, and what its client hears of it.
class ClientOperation final : public credits::LedgerOperation {
public:
    ClientOperation(Order order, const SimulatedDisk& disk)
        : order_(std::move(order)), disk_(disk) {}

    void apply(credits::Ledger& ledger) override { outcome_ = sim::apply(order_, ledger); }
    /// An answer that is given while the power is off was never given.
    void answer(const Result<void>& committed) override;

    const Order& order() const { return order_; }
    /// What the client was told to be durable; nullopt: it does not know.
    const std::optional<Outcome>& acknowledged() const { return acknowledged_; }
    /// The error that the client was told instead.
    const std::optional<Error>& refusal() const { return refusal_; }
    int answers() const { return answers_; }

private:
    Order order_;
    const SimulatedDisk& disk_;
    Outcome outcome_;
    std::optional<Outcome> acknowledged_;
    std::optional<Error> refusal_;
    int answers_ = 0;
};

}  // namespace quire::sim
