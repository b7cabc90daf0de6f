#include "services/gateway/gateway_api.hpp"
#include "services/gateway/paging.hpp"

namespace quire::gateway {
namespace {

json::object entry_json(const credits::v1::Entry& entry) {
    json::object out;
    out["id"] = entry.id();
    out["at"] = to_rfc3339(Timestamp{entry.at_us()});
    out["kind"] = entry.kind();
    out["amount"] = entry.amount();
    out["request_id"] = nullptr;
    if (!entry.request_id().empty()) out["request_id"] = entry.request_id();
    out["description"] = entry.description();
    return out;
}

}  // namespace

awaitable<Result<void>> GatewayApi::get_balance(GatewayCall& call) {
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    const credits::v1::GetBalanceRequest request;
    QUIRE_CO_TRY(const auto balance, ports_.credits->get_balance(call.ctx, request));
    json::object body;
    body["available"] = balance.available();
    body["held"] = balance.held();
    body["unit"] = "micro_credits";
    std::string text = json::serialize(body);
    co_return co_await call.respond_json(200, std::move(text));
}

awaitable<Result<void>> GatewayApi::list_entries(GatewayCall& call) {
    credits::v1::ListEntriesRequest request;
    auto page = read_page(call.exchange.head(), {"txn", "an entry"});
    if (!page) co_return page.error();
    *request.mutable_page() = *std::move(page);
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    QUIRE_CO_TRY(const auto listed, ports_.credits->list_entries(call.ctx, request));
    json::array data;
    for (const auto& entry : listed.entries()) data.push_back(entry_json(entry));
    json::object body;
    body["data"] = std::move(data);
    body["has_more"] = listed.has_more();
    std::string text = json::serialize(body);
    co_return co_await call.respond_json(200, std::move(text));
}

}  // namespace quire::gateway
