#include "services/gateway/paging.hpp"

#include "runtime/config/values.hpp"
#include "runtime/http/url.hpp"

namespace quire::gateway {
namespace {

constexpr std::int64_t kPageMax = 1000;

}  // namespace

Result<common::v1::PageRequest> read_page(const http::RequestHead& head) {
    common::v1::PageRequest page;
    QUIRE_TRY(auto after, http::query_value(head.query, "after"));
    page.set_after(after.value_or(""));
    QUIRE_TRY(const auto limit, http::query_value(head.query, "limit"));
    if (!limit) return page;
    const auto number = config::parse_integer(*limit);
    if (!number || *number < 1 || *number > kPageMax) {
        return Error(ErrorCode::kInvalidValue, "limit must be 1 to 1000").with_param("limit");
    }
    page.set_limit(static_cast<std::int32_t>(*number));
    return page;
}

}  // namespace quire::gateway
