#include "tests/sim/workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace quire::sim {
namespace {

using credits::GrantOrder;
using credits::HoldOrder;
using credits::SettleOrder;
using credits::TokenUsage;

constexpr std::int64_t kDear = 4;  ///< the version of the price that is too high

}  // namespace

std::map<std::int64_t, credits::Price> simulated_prices() {
    return {{1, {1, 3'000'000, 15'000'000}},
            {2, {2, 333'333, 700'001}},
            {3, {3, 0, 0}},
            {kDear, {kDear, 1'000'000'000'000'000, 9'000'000'000'000'000}}};
}

Order Workload::next() {
    if (!retries_.empty() && chance(60)) {
        Order order = std::move(retries_.front());
        retries_.pop_front();
        return order;
    }
    Order order = fresh();
    past_.push_back(order);
    return order;
}

void Workload::answered(const Order& order, const Outcome& outcome) {
    const auto place = places_.find(subject_of(order));
    if (place == places_.end()) return;
    Request& request = requests_[place->second];
    if (outcome.kind == "hold admitted" || outcome.kind == "hold exists") request.is_open = true;
    if (outcome.kind == "settle done" || outcome.kind == "release done") request.is_open = false;
}

void Workload::unanswered(const Order& order) {
    if (chance(90)) retries_.push_back(order);
}

Order Workload::fresh() {
    struct Choice {
        std::uint64_t weight;
        Order (*make)(Workload&);
    };
    static constexpr std::array kChoices{
        Choice{28, [](Workload& w) { return w.hold(); }},
        Choice{6, [](Workload& w) { return w.keyed_hold(); }},
        Choice{26, [](Workload& w) { return w.settle(true); }},
        Choice{4, [](Workload& w) { return w.settle(false); }},
        Choice{6, [](Workload& w) { return w.release(true); }},
        Choice{3, [](Workload& w) { return w.release(false); }},
        Choice{8, [](Workload& w) { return w.grant(); }},
        Choice{9, [](Workload& w) { return w.repeated(); }},
        Choice{4, [](Workload& w) { return w.altered(); }},
        Choice{2, [](Workload& w) { return w.impossible(); }},
        Choice{4, [](Workload& w) -> Order { return SweepOrder{w.chance(50) ? 1u : 1000u}; }},
    };
    std::uint64_t turn = rng_.next_below(100);
    for (const Choice& choice : kChoices) {
        if (turn < choice.weight) return choice.make(*this);
        turn -= choice.weight;
    }
    return hold();
}

Order Workload::hold() {
    HoldOrder order;
    order.request_id = "req_" + new_id();
    order.org_id = choose_org();
    order.project_id = fmt::format("proj_{}_{}", order.org_id, rng_.next_below(2));
    order.key_id = "key_1";
    order.owner = "prompts-1";
    order.request_hash = fmt::format("hash-{}", rng_.next_below(1000));
    const auto version = 1 + static_cast<std::int64_t>(rng_.next_below(10));
    order.price = simulated_prices().at(version > kDear ? 1 + version % 2 : version);
    if (order.price.version == kDear && !chance(30)) order.price = simulated_prices().at(1);
    order.model = fmt::format("model-{}", order.price.version);
    order.input_tokens = up_to(2000);
    order.output_tokens = 1 + up_to(chance(20) ? 20 : 1000);
    order.ttl = std::chrono::seconds(1 + up_to(chance(50) ? 60 : 3600));
    if (chance(35)) order.idempotency_key = "idem-" + new_id();
    places_[order.request_id] = requests_.size();
    requests_.push_back({order, false});
    if (!order.idempotency_key.empty()) keyed_.push_back(order);
    return order;
}

/// Another request with a key that one had before: as a client that retries, or one that errs.
Order Workload::keyed_hold() {
    if (keyed_.empty()) return hold();
    HoldOrder order = keyed_[rng_.next_below(keyed_.size())];
    order.request_id = "req_" + new_id();
    if (chance(30)) order.request_hash += "-other";
    places_[order.request_id] = requests_.size();
    requests_.push_back({order, false});
    return order;
}

Order Workload::settle(bool is_open) {
    const HoldOrder* request = choose_request(is_open);
    if (request == nullptr) return hold();
    SettleOrder order;
    order.request_id = request->request_id;
    order.usage = usage_of(*request);
    order.facts.status = "completed";
    order.facts.model = request->model;
    return order;
}

Order Workload::release(bool is_open) {
    const HoldOrder* request = choose_request(is_open);
    if (request == nullptr) return hold();
    return ReleaseOrder{request->request_id};
}

Order Workload::grant() {
    GrantOrder order;
    order.org_id = choose_org();
    if (order.org_id == "org_none") order.org_id = "org_hot";
    order.amount = {1 + up_to(order.org_id == "org_poor" ? 9'000 : 200'000)};
    order.reason = "top-up";
    order.idempotency_key = "grant-" + new_id();
    return order;
}

Order Workload::repeated() {
    if (past_.empty()) return grant();
    // Mostly what is recent: that is what clients repeat.
    const std::size_t back = chance(70) ? std::min<std::size_t>(past_.size(), 12) : past_.size();
    return past_[past_.size() - 1 - rng_.next_below(back)];
}

/// The same ids as an earlier order, and other contents.
Order Workload::altered() {
    Order order = repeated();
    if (auto* hold = std::get_if<HoldOrder>(&order)) {
        hold->input_tokens += 1;
        hold->request_hash += "-altered";
    } else if (auto* settle = std::get_if<SettleOrder>(&order)) {
        settle->usage.output += 1;
    } else if (auto* grant = std::get_if<GrantOrder>(&order)) {
        grant->amount.micros -= 1;
    }
    return order;
}

/// What no correct client sends.
Order Workload::impossible() {
    if (chance(30)) {
        auto order = std::get<GrantOrder>(grant());
        order.org_id = "org_rich";
        constexpr std::array<std::int64_t, 4> kAmounts{0, -5, INT64_MAX, (1LL << 53) - 1};
        order.amount = {kAmounts[rng_.next_below(kAmounts.size())]};
        return order;
    }
    const HoldOrder* request = choose_request(true);
    if (request == nullptr || chance(40)) {
        auto order = std::get<HoldOrder>(hold());
        (chance(50) ? order.output_tokens : order.input_tokens) = -1;
        return order;
    }
    SettleOrder order;
    order.request_id = chance(30) ? "req_unknown" : request->request_id;
    order.usage = usage_of(*request);
    (chance(50) ? order.usage.cached : order.usage.reasoning) = INT64_MAX;
    return order;
}

std::int64_t Workload::up_to(std::int64_t most) {
    return static_cast<std::int64_t>(rng_.next_below(static_cast<std::uint64_t>(most) + 1));
}

std::string Workload::new_id() { return fmt::format("{:06}", ++ids_); }

std::string Workload::choose_org() {
    const std::uint64_t turn = rng_.next_below(100);
    if (turn < 55) return "org_hot";
    if (turn < 75) return "org_two";
    if (turn < 94) return "org_poor";
    return turn < 97 ? "org_rich" : "org_none";
}

TokenUsage Workload::usage_of(const HoldOrder& order) {
    TokenUsage usage{std::max<std::int64_t>(0, order.input_tokens),
                     std::max<std::int64_t>(0, order.output_tokens), 0, 0, chance(15)};
    switch (rng_.next_below(6)) {
        case 0:
            usage = {0, 0, 0, 0, usage.is_estimated};
            break;
        case 1:
            usage.input += up_to(500);
            break;
        case 2:
            usage.output += up_to(chance(30) ? 100'000 : 300);
            break;
        case 3:
            break;
        default:
            usage.output = up_to(usage.output);
            break;
    }
    usage.cached = chance(30) ? up_to(usage.input) : 0;
    usage.reasoning = chance(30) ? up_to(usage.output) : 0;
    return usage;
}

/// A request that its client believes open, or any; nullptr when there is none.
const HoldOrder* Workload::choose_request(bool is_open) {
    std::vector<const HoldOrder*> fit;
    for (const Request& request : requests_) {
        if (!is_open || request.is_open) fit.push_back(&request.order);
    }
    return fit.empty() ? nullptr : fit[rng_.next_below(fit.size())];
}

}  // namespace quire::sim
