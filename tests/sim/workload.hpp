#pragma once

#include "base/rng.hpp"
#include "tests/sim/orders.hpp"

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace quire::sim {

/// The price book of every simulation, by version: one like a real model's, one where rounding
/// matters, one free of charge, one so dear that costs leave the range of money.
std::map<std::int64_t, credits::Price> simulated_prices();

/// What the clients of the ledger do: some organizations, one of them hot, one nearly empty, one
/// without any credit; requests that are held, settled in every way, released, repeated with the
/// same and with other contents. Draws from `rng` only.
class Workload {
public:
    explicit Workload(Rng& rng) : rng_(rng) {}

    Order next();
    /// The client got its answer.
    void answered(const Order& order, const Outcome& outcome);
    /// The client got none, and mostly asks again with the same ids.
    void unanswered(const Order& order);

private:
    struct Request {
        credits::HoldOrder order;
        bool is_open = false;  ///< as far as its client knows
    };

    Order fresh();
    Order hold();
    Order keyed_hold();
    Order settle(bool is_open);
    Order release(bool is_open);
    Order grant();
    Order repeated();
    Order altered();
    Order impossible();

    bool chance(std::uint64_t percent) { return rng_.next_below(100) < percent; }
    std::int64_t up_to(std::int64_t most);
    std::string new_id();
    std::string choose_org();
    credits::TokenUsage usage_of(const credits::HoldOrder& order);
    const credits::HoldOrder* choose_request(bool is_open);

    Rng& rng_;
    std::vector<Request> requests_;
    std::map<std::string, std::size_t> places_;  ///< of requests_, by id
    std::vector<Order> past_;
    std::deque<Order> retries_;
    std::vector<credits::HoldOrder> keyed_;
    std::uint64_t ids_ = 0;
};

}  // namespace quire::sim
