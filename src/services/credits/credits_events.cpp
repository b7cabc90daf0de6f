#include "services/credits/credits_events.hpp"

#include "quire/credits/v1/credits.pb.h"

namespace quire::credits {
namespace {

void fill(common::v1::Usage& out, const TokenUsage& usage) {
    out.set_input_tokens(usage.input);
    out.set_output_tokens(usage.output);
    out.set_cached_tokens(usage.cached);
    out.set_reasoning_tokens(usage.reasoning);
    out.set_estimated(usage.is_estimated);
}

void fill(v1::RequestOutcome& out, const RequestFacts& facts) {
    out.set_status(facts.status);
    out.set_model(facts.model);
    out.set_provider(facts.provider);
    out.set_prompt(facts.prompt);
    out.set_prompt_version(facts.prompt_version);
    out.set_variant(facts.variant);
    out.set_finish_reason(facts.finish_reason);
}

}  // namespace

common::v1::Cost to_message(const PricedUsage& cost, bool is_estimated) {
    common::v1::Cost out;
    out.set_amount(cost.total.micros);
    out.set_estimated(is_estimated);
    for (const PricedLine& line : cost.lines) {
        auto& one = *out.add_lines();
        one.set_class_(std::string(line.name));
        one.set_tokens(line.tokens);
        one.set_price(line.price);
        one.set_amount(line.amount.micros);
    }
    return out;
}

storage::OutboxRow settled_event(const SettleOrder& order, const TransferRow& hold,
                                 const PricedUsage& cost, Money written_off) {
    v1::Settled message;
    message.set_org_id(hold.org_id);
    message.set_project_id(hold.project_id);
    message.set_key_id(hold.key_id);
    message.set_request_id(order.request_id);
    fill(*message.mutable_usage(), order.usage);
    *message.mutable_cost() = to_message(cost, order.usage.is_estimated);
    message.set_written_off(written_off.micros);
    fill(*message.mutable_outcome(), order.facts);
    storage::OutboxRow row;
    row.type = kSettledType;
    row.subject = order.request_id;
    row.traceparent = order.traceparent;
    row.payload = message.SerializeAsString();
    return row;
}

storage::OutboxRow granted_event(const TransferRow& grant, const std::string& traceparent) {
    v1::Granted message;
    message.set_org_id(grant.org_id);
    message.set_entry_id(grant.id);
    message.set_amount(grant.posted.micros);
    message.set_reason(grant.description);
    storage::OutboxRow row;
    row.type = kGrantedType;
    row.subject = grant.id;
    row.traceparent = traceparent;
    row.payload = message.SerializeAsString();
    return row;
}

const storage::EventTypes& event_types() {
    static const storage::EventTypes types{{kSettledType, &v1::Settled::default_instance()},
                                           {kGrantedType, &v1::Granted::default_instance()}};
    return types;
}

}  // namespace quire::credits
