#include "services/gateway/paging.hpp"

#include "base/id.hpp"
#include "runtime/config/values.hpp"
#include "runtime/http/url.hpp"

#include <fmt/format.h>

namespace quire::gateway {
namespace {

constexpr std::int64_t kPageMax = 1000;

Result<std::string> read_after(const http::RequestHead& head, const Cursor& cursor) {
    QUIRE_TRY(const auto after, http::query_value(head.query, "after"));
    std::string id = after.value_or("");
    if (id.empty() || cursor.prefix.empty() || ulid_of(id, cursor.prefix)) return id;
    return Error(ErrorCode::kInvalidValue,
                 fmt::format("after must be the id of {}, {}_…", cursor.what, cursor.prefix))
        .with_param("after");
}

}  // namespace

Result<common::v1::PageRequest> read_page(const http::RequestHead& head, const Cursor& cursor) {
    common::v1::PageRequest page;
    QUIRE_TRY(*page.mutable_after(), read_after(head, cursor));
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
