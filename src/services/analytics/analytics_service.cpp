#include "services/analytics/analytics_service.hpp"

#include "base/text.hpp"
#include "base/words.hpp"
#include "services/analytics/analytics_store.hpp"
#include "storage/page.hpp"

#include <fmt/format.h>

namespace quire::analytics {
namespace {

using storage::Connection;

Owner owner_of(const rpc::CallContext& ctx) {
    return {ctx.principal.org_id, ctx.principal.project_id};
}

Result<RequestFilter> filter_of(const v1::ListRequestsRequest& request) {
    RequestFilter filter{request.page().after(), request.model(), request.status(),
                         request.key_id()};
    QUIRE_TRY(filter.limit, storage::page_limit(request.page()));
    const auto checked = storage::check_cursor(request.page(), "req", "a request");
    if (!checked) return checked.error();
    const auto known = filter.status.empty() ? Result<void>() : check_request_status(filter.status);
    if (!known) return known.error();
    return filter;
}

}  // namespace

awaitable<Result<v1::ListRequestsResponse>> AnalyticsService::list_requests(
    const rpc::CallContext& ctx, const v1::ListRequestsRequest& request) {
    auto filter = filter_of(request);
    if (!filter) co_return filter.error();
    const std::int64_t limit = filter->limit++;
    const Owner owner = owner_of(ctx);
    auto read = [&](Connection& connection) {
        return AnalyticsStore(connection).list(owner, *filter);
    };
    QUIRE_CO_TRY(std::vector<v1::Request> found, database_.read(std::move(read)));
    v1::ListRequestsResponse response;
    response.set_has_more(storage::cut_page(found, limit));
    for (v1::Request& one : found) response.add_requests()->Swap(&one);
    co_return response;
}

awaitable<Result<v1::GetRequestResponse>> AnalyticsService::get_request(
    const rpc::CallContext& ctx, const v1::GetRequestRequest& request) {
    const Owner owner = owner_of(ctx);
    auto read = [&](Connection& connection) {
        return AnalyticsStore(connection).find(owner, request.id());
    };
    QUIRE_CO_TRY(std::optional<RequestRow> found, database_.read(std::move(read)));
    if (!found) {
        co_return Error(ErrorCode::kNotFound,
                        fmt::format("there is no request '{}'", excerpt(request.id())));
    }
    v1::GetRequestResponse response;
    response.mutable_request()->Swap(&found->request);
    co_return response;
}

}  // namespace quire::analytics
