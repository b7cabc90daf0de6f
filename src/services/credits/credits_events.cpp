#include "services/credits/credits_events.hpp"

#include "runtime/json.hpp"

#include <fmt/format.h>

namespace quire::credits {
namespace {

/// protobuf JSON of one message: 64-bit integers are strings, what is empty is left out.
class ProtoJson {
public:
    explicit ProtoJson(std::string& out) : out_(out) { out_ += '{'; }

    ProtoJson& text(std::string_view name, std::string_view value) {
        if (value.empty()) return *this;
        key(name);
        runtime::append_json_string(out_, value);
        return *this;
    }
    ProtoJson& number(std::string_view name, std::int64_t value) {
        if (value == 0) return *this;
        key(name);
        const fmt::format_int digits(value);
        out_ += '"';
        out_.append(digits.data(), digits.size());
        out_ += '"';
        return *this;
    }
    ProtoJson& flag(std::string_view name, bool value) {
        if (!value) return *this;
        key(name);
        out_ += "true";
        return *this;
    }
    /// Its value follows.
    void key(std::string_view name) {
        if (!std::exchange(is_first_, false)) out_ += ',';
        out_ += '"';
        out_ += name;
        out_ += "\":";
    }
    void end() { out_ += '}'; }

private:
    std::string& out_;
    bool is_first_ = true;
};

void append_usage(std::string& out, const TokenUsage& usage) {
    ProtoJson json(out);
    json.number("inputTokens", usage.input).number("outputTokens", usage.output);
    json.number("cachedTokens", usage.cached).number("reasoningTokens", usage.reasoning);
    json.flag("estimated", usage.is_estimated);
    json.end();
}

void append_cost(std::string& out, const PricedUsage& cost, bool is_estimated) {
    ProtoJson json(out);
    json.number("amount", cost.total.micros).flag("estimated", is_estimated);
    if (!cost.lines.empty()) {
        json.key("lines");
        char separator = '[';
        for (const PricedLine& line : cost.lines) {
            out += std::exchange(separator, ',');
            ProtoJson one(out);
            one.text("class", line.name).number("tokens", line.tokens);
            one.number("price", line.price).number("amount", line.amount.micros);
            one.end();
        }
        out += ']';
    }
    json.end();
}

void append_facts(std::string& out, const RequestFacts& facts) {
    ProtoJson json(out);
    json.text("status", facts.status).text("model", facts.model).text("provider", facts.provider);
    json.text("prompt", facts.prompt).number("promptVersion", facts.prompt_version);
    json.text("variant", facts.variant).text("finishReason", facts.finish_reason);
    json.end();
}

}  // namespace

storage::OutboxRow settled_event(const SettleOrder& order, const TransferRow& hold,
                                 const PricedUsage& cost) {
    storage::OutboxRow row;
    row.type = kSettledType;
    row.subject = order.request_id;
    row.traceparent = order.traceparent;
    row.payload.reserve(640);
    ProtoJson json(row.payload);
    json.text("orgId", hold.org_id).text("projectId", hold.project_id);
    json.text("keyId", hold.key_id).text("requestId", order.request_id);
    json.key("usage");
    append_usage(row.payload, order.usage);
    json.key("cost");
    append_cost(row.payload, cost, order.usage.is_estimated);
    json.key("outcome");
    append_facts(row.payload, order.facts);
    json.end();
    return row;
}

storage::OutboxRow granted_event(const TransferRow& grant, const std::string& traceparent) {
    storage::OutboxRow row;
    row.type = kGrantedType;
    row.subject = grant.id;
    row.traceparent = traceparent;
    ProtoJson json(row.payload);
    json.text("orgId", grant.org_id).text("entryId", grant.id);
    json.number("amount", grant.posted.micros).text("reason", grant.description);
    json.end();
    return row;
}

}  // namespace quire::credits
