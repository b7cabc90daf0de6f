#pragma once

#include "base/result.hpp"
#include "quire/common/v1/common.pb.h"

#include <string_view>
#include <vector>

namespace quire::storage {

/// How many rows a page has: 50 where nothing is asked. kInvalidValue outside of 1 to 1000.
Result<std::int64_t> page_limit(const common::v1::PageRequest& page);

/// kInvalidValue where a page is to begin after something that is no id `<prefix>_<ULID>`.
/// `what` is what it is the id of.
Result<void> check_cursor(const common::v1::PageRequest& page, std::string_view prefix,
                          std::string_view what);

/// `rows` were read with one more than the page may have; takes that one away and gives whether it
/// was there.
template <class Row>
bool cut_page(std::vector<Row>& rows, std::int64_t limit) {
    if (static_cast<std::int64_t>(rows.size()) <= limit) return false;
    rows.resize(static_cast<std::size_t>(limit));
    return true;
}

}  // namespace quire::storage
