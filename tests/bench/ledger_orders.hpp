#pragma once

#include "base/id.hpp"
#include "services/credits/ledger.hpp"

#include <fmt/format.h>

#include <string>

namespace quire::bench {

inline constexpr std::size_t kOrganizations = 10'000;

/// What requests are made of: one organization, or every one in turn.
class Orders {
public:
    Orders(bool is_hot, credits::Price price, const Clock& clock, std::uint64_t seed)
        : is_hot_(is_hot), price_(price), clock_(clock), rng_(seed), place_(seed * 6037) {}

    static std::string org(std::size_t index) { return fmt::format("org_{:026}", index); }
    std::size_t next_org() {
        // Far apart, so that neighbours in a batch are not neighbours in the table.
        return is_hot_ ? 0 : (place_ += 7919) % kOrganizations;
    }
    std::string next_request() { return make_id("req", clock_.now(), rng_); }
    credits::HoldOrder hold(const std::string& request_id, std::size_t org_index) const {
        credits::HoldOrder order;
        order.request_id = request_id;
        order.org_id = org(org_index);
        order.project_id = "prj_00000000000000000000000000";
        order.key_id = "key_00000000000000000000000000";
        order.model = "writer";
        order.owner = "prompts@00000000000000000000000000";
        order.price = price_;
        order.input_tokens = 20;
        order.output_tokens = 40;
        order.ttl = std::chrono::seconds(60);
        return order;
    }
    credits::SettleOrder settle(const std::string& request_id) const {
        credits::SettleOrder order;
        order.request_id = request_id;
        order.usage = {20, 20, 0, 0, false};
        order.facts = {"completed", "writer", "openai", "", 0, "", "stop"};
        order.traceparent = "00-00000000000000000000000000000000-0000000000000000-01";
        return order;
    }

private:
    bool is_hot_;
    credits::Price price_;
    const Clock& clock_;
    SeededRng rng_;
    std::size_t place_;
};

}  // namespace quire::bench
