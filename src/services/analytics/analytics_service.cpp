#include "services/analytics/analytics_service.hpp"

#include "base/id.hpp"
#include "services/analytics/analytics_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace quire::analytics {
namespace {

using storage::Connection;

constexpr std::int64_t kPageDefault = 50;
constexpr std::int64_t kPageMax = 1000;
constexpr std::array<std::string_view, 4> kStatuses{"completed", "blocked", "failed", "cancelled"};

Owner owner_of(const rpc::CallContext& ctx) {
    return {ctx.principal.org_id, ctx.principal.project_id};
}

Error bad_value(const char* param, std::string message) {
    return Error(ErrorCode::kInvalidValue, std::move(message)).with_param(param);
}

Result<RequestFilter> filter_of(const v1::ListRequestsRequest& request) {
    RequestFilter filter{request.page().after(), request.model(), request.status(),
                         request.key_id(), request.page().limit()};
    if (filter.limit == 0) filter.limit = kPageDefault;
    if (filter.limit < 1 || filter.limit > kPageMax) {
        return bad_value("limit", fmt::format("limit must be 1 to {}", kPageMax));
    }
    if (!filter.after.empty() && !ulid_of(filter.after, "req")) {
        return bad_value("after", "after must be the id of a request, req_…");
    }
    if (!filter.status.empty() &&
        std::find(kStatuses.begin(), kStatuses.end(), filter.status) == kStatuses.end()) {
        return bad_value("status",
                         fmt::format("status must be one of {}", fmt::join(kStatuses, ", ")));
    }
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
    response.set_has_more(static_cast<std::int64_t>(found.size()) > limit);
    if (response.has_more()) found.pop_back();
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
                        fmt::format("there is no request '{}'", request.id()));
    }
    v1::GetRequestResponse response;
    response.mutable_request()->Swap(&found->request);
    co_return response;
}

}  // namespace quire::analytics
