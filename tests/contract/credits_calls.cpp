#include "tests/contract/credits_calls.hpp"

#include "base/id.hpp"

#include <fmt/format.h>

namespace quire::test {

using namespace credits::v1;
using credits::Credits;

namespace {

std::string new_ulid() {
    static SystemRng rng;
    return make_ulid(SystemClock().now(), rng);
}

awaitable<Result<std::vector<common::v1::OutboxEvent>>> read_events(Credits& port,
                                                                    std::int64_t sequence) {
    const rpc::CallContext service;
    std::vector<common::v1::OutboxEvent> events;
    common::v1::ReadOutboxRequest request;
    request.set_limit(1000);
    request.set_after_sequence(sequence);
    while (true) {
        QUIRE_CO_TRY(const auto page, port.read_outbox(service, request));
        if (page.events().empty()) co_return events;
        events.insert(events.end(), page.events().begin(), page.events().end());
        request.set_after_sequence(events.back().sequence());
    }
}

}  // namespace

rpc::CallContext new_customer() {
    rpc::CallContext ctx;
    ctx.trace.trace_id.fill(7);
    ctx.trace.span_id.fill(9);
    ctx.principal.org_id = "org_" + new_ulid();
    ctx.principal.project_id = "prj_" + new_ulid();
    ctx.principal.key_id = "key_" + new_ulid();
    ctx.principal.is_operator = true;  // who acts for this customer: grants are the operator's
    return ctx;
}

awaitable<Result<rpc::CallContext>> customer_with(Credits& port, std::int64_t amount) {
    const rpc::CallContext ctx = new_customer();
    const auto granted = co_await grant(port, ctx, amount);
    if (!granted) co_return granted.error();
    co_return ctx;
}

AdmitRequest new_admission() {
    AdmitRequest request;
    request.set_request_id("req_" + new_ulid());
    request.set_model("writer");
    request.set_input_tokens_bound(10);
    request.set_output_tokens_wanted(20);
    request.set_ttl_us(60'000'000);
    request.set_owner("contract");
    return request;
}

awaitable<Result<SettleResponse>> settle(Credits& port, std::string request_id, std::int64_t input,
                                         std::int64_t output) {
    const rpc::CallContext service;
    SettleRequest request;
    request.set_request_id(std::move(request_id));
    request.mutable_usage()->set_input_tokens(input);
    request.mutable_usage()->set_output_tokens(output);
    request.mutable_outcome()->set_status("completed");
    co_return co_await port.settle(service, request);
}

awaitable<Result<VoidHoldResponse>> void_hold(Credits& port, std::string request_id) {
    const rpc::CallContext service;
    VoidHoldRequest request;
    request.set_request_id(std::move(request_id));
    co_return co_await port.void_hold(service, request);
}

awaitable<Result<GrantResponse>> grant(Credits& port, const rpc::CallContext& ctx,
                                       std::int64_t amount, std::string key, std::string reason) {
    GrantRequest request;
    request.set_amount(amount);
    request.set_idempotency_key(std::move(key));
    request.set_reason(std::move(reason));
    co_return co_await port.grant(ctx, request);
}

awaitable<Result<std::string>> balance(Credits& port, const rpc::CallContext& ctx) {
    const GetBalanceRequest request;
    QUIRE_CO_TRY(const auto answer, port.get_balance(ctx, request));
    co_return fmt::format("{} {}", answer.available(), answer.held());
}

awaitable<Result<ListEntriesResponse>> list_entries(Credits& port, const rpc::CallContext& ctx,
                                                    std::string after, std::int32_t limit) {
    ListEntriesRequest request;
    request.mutable_page()->set_after(std::move(after));
    request.mutable_page()->set_limit(limit);
    co_return co_await port.list_entries(ctx, request);
}

awaitable<Result<std::vector<std::string>>> entries(Credits& port, const rpc::CallContext& ctx) {
    QUIRE_CO_TRY(const auto page, list_entries(port, ctx));
    std::vector<std::string> texts;
    for (const Entry& entry : page.entries()) {
        texts.push_back(fmt::format("{} {}", entry.kind(), entry.amount()));
    }
    co_return texts;
}

awaitable<Result<std::vector<std::string>>> open_holds(Credits& port, std::string owner) {
    const rpc::CallContext service;
    ListOpenHoldsRequest request;
    request.set_owner(std::move(owner));
    QUIRE_CO_TRY(const auto page, port.list_open_holds(service, request));
    std::vector<std::string> ids;
    for (const OpenHold& hold : page.holds()) ids.push_back(hold.request_id());
    co_return ids;
}

awaitable<Result<std::vector<std::string>>> told(Credits& port, std::int64_t sequence) {
    QUIRE_CO_TRY(const auto events, read_events(port, sequence));
    std::vector<std::string> texts;
    for (const auto& event : events) {
        texts.push_back(fmt::format("{} {}", event.type(), event.subject()));
    }
    co_return texts;
}

awaitable<Result<std::int64_t>> last_told(Credits& port) {
    QUIRE_CO_TRY(const auto events, read_events(port, 0));
    co_return events.empty() ? 0 : events.back().sequence();
}

}  // namespace quire::test
