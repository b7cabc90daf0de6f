#include "services/credits/credits_service.hpp"

#include "base/id.hpp"
#include "services/credits/credits_events.hpp"
#include "services/credits/ledger_checks.hpp"
#include "services/credits/statements.hpp"
#include "storage/outbox_page.hpp"
#include "storage/page.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quire::credits {
namespace {

using std::chrono::microseconds;
using storage::Connection;

constexpr std::size_t kReasonMax = 500;
constexpr std::size_t kKeyMax = 255;
constexpr microseconds kTtlMax{std::chrono::hours(25)};
/// Of one request: the sums of a day must fit, whatever a price of 0 lets through.
constexpr std::int64_t kTokensMax = std::int64_t{1} << 40;

Result<void> check_request_id(const std::string& id) {
    if (ulid_of(id, "req")) return {};
    return Error(ErrorCode::kInvalidValue, "request_id must be req_ and a ULID")
        .with_param("request_id");
}

std::string hex_of(const std::string& bytes) {
    std::string hex;
    for (const char byte : bytes) {
        fmt::format_to(std::back_inserter(hex), "{:02x}", static_cast<unsigned char>(byte));
    }
    return hex;
}

TokenUsage usage_of(const common::v1::Usage& usage) {
    return {usage.input_tokens(), usage.output_tokens(), usage.cached_tokens(),
            usage.reasoning_tokens(), usage.estimated()};
}

RequestFacts facts_of(const v1::RequestOutcome& outcome) {
    return {outcome.status(),         outcome.model(),   outcome.provider(),     outcome.prompt(),
            outcome.prompt_version(), outcome.variant(), outcome.finish_reason()};
}

v1::Entry to_message(const Entry& entry) {
    v1::Entry out;
    out.set_id(entry.id);
    out.set_at_us(entry.at.micros);
    out.set_kind(entry.kind);
    out.set_amount(entry.amount.micros);
    out.set_request_id(entry.request_id);
    out.set_description(entry.description);
    return out;
}

v1::OpenHold to_message(const HoldRow& hold) {
    v1::OpenHold out;
    out.set_request_id(hold.request_id);
    out.set_hold_id(hold.hold_id);
    out.set_amount(hold.amount.micros);
    out.set_price_version(hold.price_version);
    out.set_expires_at_us(hold.expires_at.micros);
    out.set_owner(hold.owner);
    out.set_model(hold.model);
    return out;
}

v1::AdmitResponse to_message(const HoldAnswer& answer) {
    using Outcome = HoldAnswer::Outcome;
    v1::AdmitResponse out;
    out.set_outcome(answer.outcome == Outcome::kAdmitted ? v1::AdmitResponse::ADMITTED
                    : answer.outcome == Outcome::kExists ? v1::AdmitResponse::EXISTS
                                                         : v1::AdmitResponse::COMPLETED);
    out.set_hold_id(answer.hold_id);
    out.set_amount(answer.amount.micros);
    out.set_output_tokens_granted(answer.output_tokens);
    out.set_price_version(answer.price_version);
    out.set_first_request_id(answer.first_request_id);
    out.set_expires_at_us(answer.expires_at.micros);
    return out;
}

}  // namespace

awaitable<Result<v1::AdmitResponse>> CreditsService::admit(const rpc::CallContext& ctx,
                                                           const v1::AdmitRequest& request) {
    const auto model = catalog_.find_model(request.model());
    const auto price = prices_.find(request.model());
    if (model == nullptr || price == prices_.end()) {
        co_return providers::unknown_model(request.model());
    }
    const auto identified = check_request_id(request.request_id());
    if (!identified) co_return identified.error();
    if (request.idempotency_key().size() > kKeyMax) {
        co_return Error(ErrorCode::kInvalidValue,
                        fmt::format("the Idempotency-Key has {} bytes; it may have up to {}",
                                    request.idempotency_key().size(), kKeyMax))
            .with_param("idempotency-key");
    }
    HoldOrder order;
    order.request_id = request.request_id();
    order.org_id = ctx.principal.org_id;
    order.project_id = ctx.principal.project_id;
    order.key_id = ctx.principal.key_id;
    order.model = request.model();
    order.owner = request.owner();
    order.idempotency_key = request.idempotency_key();
    order.request_hash = hex_of(request.request_hash());
    order.price = price->second;
    order.input_tokens = std::min(request.input_tokens_bound(), model->context_tokens);
    // No answer is longer than the context; one request must not hold a whole balance.
    order.output_tokens = request.output_tokens_wanted() == 0
                              ? model->max_output_tokens
                              : std::min(request.output_tokens_wanted(), model->context_tokens);
    order.ttl = std::min(microseconds(request.ttl_us()), kTtlMax);
    auto hold = [&order](Ledger& ledger) { return ledger.hold(order); };
    QUIRE_CO_TRY(const HoldAnswer answer, deps_.writer.run(std::move(hold)));
    co_return to_message(answer);
}

awaitable<Result<v1::SettleResponse>> CreditsService::settle(const rpc::CallContext& ctx,
                                                             const v1::SettleRequest& request) {
    if (std::max(request.usage().input_tokens(), request.usage().output_tokens()) > kTokensMax) {
        co_return Error(ErrorCode::kInvalidValue,
                        fmt::format("a request has at most {} tokens", kTokensMax))
            .with_param("usage");
    }
    SettleOrder order;
    order.request_id = request.request_id();
    order.usage = usage_of(request.usage());
    order.facts = facts_of(request.outcome());
    order.traceparent = ctx.trace.traceparent();
    auto settle = [&order](Ledger& ledger) { return ledger.settle(order); };
    QUIRE_CO_TRY(const PricedUsage cost, deps_.writer.run(std::move(settle)));
    v1::SettleResponse response;
    *response.mutable_cost() = to_message(cost, order.usage.is_estimated);
    co_return response;
}

awaitable<Result<v1::VoidHoldResponse>> CreditsService::void_hold(
    const rpc::CallContext& /*ctx*/, const v1::VoidHoldRequest& request) {
    auto release = [&request](Ledger& ledger) { return ledger.release(request.request_id()); };
    const auto released = co_await deps_.writer.run(std::move(release));
    if (!released) co_return released.error();
    co_return v1::VoidHoldResponse();
}

awaitable<Result<v1::ListOpenHoldsResponse>> CreditsService::list_open_holds(
    const rpc::CallContext& /*ctx*/, const v1::ListOpenHoldsRequest& request) {
    const auto limit = storage::page_limit(request.page());
    if (!limit) co_return limit.error();
    auto read = [&](Connection& connection) {
        return read_holds(connection, request.owner(), request.page().after(), *limit + 1);
    };
    QUIRE_CO_TRY(std::vector<HoldRow> rows, deps_.database.read(std::move(read)));
    v1::ListOpenHoldsResponse response;
    response.set_has_more(storage::cut_page(rows, *limit));
    for (const HoldRow& row : rows) *response.add_holds() = to_message(row);
    co_return response;
}

awaitable<Result<v1::GetBalanceResponse>> CreditsService::get_balance(
    const rpc::CallContext& ctx, const v1::GetBalanceRequest& /*request*/) {
    auto read = [&ctx](Connection& connection) {
        return read_balance(connection, ctx.principal.org_id);
    };
    QUIRE_CO_TRY(const Balance balance, deps_.database.read(std::move(read)));
    v1::GetBalanceResponse response;
    response.set_available(balance.available.micros);
    response.set_held(balance.held.micros);
    co_return response;
}

awaitable<Result<v1::ListEntriesResponse>> CreditsService::list_entries(
    const rpc::CallContext& ctx, const v1::ListEntriesRequest& request) {
    const auto limit = storage::page_limit(request.page());
    if (!limit) co_return limit.error();
    const auto checked = storage::check_cursor(request.page(), "txn", "an entry");
    if (!checked) co_return checked.error();
    auto read = [&](Connection& connection) {
        return read_entries(connection, ctx.principal.org_id, request.page().after(), *limit + 1);
    };
    QUIRE_CO_TRY(std::vector<Entry> entries, deps_.database.read(std::move(read)));
    v1::ListEntriesResponse response;
    response.set_has_more(storage::cut_page(entries, *limit));
    for (const Entry& entry : entries) *response.add_entries() = to_message(entry);
    co_return response;
}

awaitable<Result<v1::GrantResponse>> CreditsService::grant(const rpc::CallContext& ctx,
                                                           const v1::GrantRequest& request) {
    if (request.idempotency_key().empty() || request.idempotency_key().size() > kKeyMax) {
        co_return Error(ErrorCode::kInvalidValue,
                        fmt::format("a grant needs an idempotency_key of 1 to {} bytes", kKeyMax))
            .with_param("idempotency_key");
    }
    if (request.reason().empty() || request.reason().size() > kReasonMax) {
        co_return Error(ErrorCode::kInvalidValue,
                        fmt::format("a grant needs a reason of 1 to {} bytes", kReasonMax))
            .with_param("reason");
    }
    if (ctx.principal.org_id.empty()) {
        co_return Error(ErrorCode::kMissingRequiredParameter,
                        "there are several organizations; name with --org the one that is granted "
                        "credits");
    }
    const GrantOrder order{ctx.principal.org_id,
                           {request.amount()},
                           request.reason(),
                           request.idempotency_key(),
                           ctx.trace.traceparent()};
    auto grant = [&order](Ledger& ledger) { return ledger.grant(order); };
    QUIRE_CO_TRY(const TransferRow row, deps_.writer.run(std::move(grant)));
    v1::GrantResponse response;
    *response.mutable_entry() = to_message(entry_of_grant(row));
    co_return response;
}

awaitable<Result<v1::VerifyResponse>> CreditsService::verify(const rpc::CallContext& /*ctx*/,
                                                             const v1::VerifyRequest& /*request*/) {
    QUIRE_CO_TRY(const LedgerReport report, deps_.verifier.verify());
    v1::VerifyResponse response;
    response.set_ok(report.is_ok());
    for (const auto& [name, rows] : report.checked) (*response.mutable_checked())[name] = rows;
    for (const std::string& violation : report.violations) response.add_violations(violation);
    co_return response;
}

awaitable<Result<common::v1::OutboxPage>> CreditsService::read_outbox(
    const rpc::CallContext& /*ctx*/, const common::v1::ReadOutboxRequest& request) {
    auto page = co_await storage::read_outbox_page(deps_.database, request, event_types());
    co_return page;
}

}  // namespace quire::credits
