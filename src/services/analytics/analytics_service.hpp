#pragma once

#include "quire/analytics/v1/analytics_port.hpp"
#include "storage/database.hpp"

namespace quire::analytics {

/// The port's implementation. Safe from several loops.
class AnalyticsService final : public Analytics {
public:
    explicit AnalyticsService(storage::Database& database) : database_(database) {}

    awaitable<Result<v1::ListRequestsResponse>> list_requests(
        const rpc::CallContext& ctx, const v1::ListRequestsRequest& request) override;
    awaitable<Result<v1::GetRequestResponse>> get_request(
        const rpc::CallContext& ctx, const v1::GetRequestRequest& request) override;

private:
    storage::Database& database_;
};

}  // namespace quire::analytics
