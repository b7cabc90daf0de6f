#include "storage/page.hpp"

#include "base/id.hpp"

#include <fmt/format.h>

namespace quire::storage {
namespace {

constexpr std::int64_t kPageDefault = 50;
constexpr std::int64_t kPageMax = 1000;

}  // namespace

Result<std::int64_t> page_limit(const common::v1::PageRequest& page) {
    if (page.limit() == 0) return kPageDefault;
    if (page.limit() >= 1 && page.limit() <= kPageMax) return std::int64_t{page.limit()};
    return Error(ErrorCode::kInvalidValue,
                 fmt::format("limit is {}; it must be 1 to {}", page.limit(), kPageMax))
        .with_param("limit");
}

Result<void> check_cursor(const common::v1::PageRequest& page, std::string_view prefix,
                          std::string_view what) {
    if (page.after().empty() || ulid_of(page.after(), prefix)) return {};
    return Error(ErrorCode::kInvalidValue,
                 fmt::format("after must be the id of {}, {}_…", what, prefix))
        .with_param("after");
}

}  // namespace quire::storage
