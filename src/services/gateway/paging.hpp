#pragma once

#include "quire/common/v1/common.pb.h"
#include "runtime/http/http_server.hpp"

#include <string_view>

namespace quire::gateway {

/// What the pages of a list begin after.
struct Cursor {
    std::string_view prefix;  ///< of an id; "" where it is a name
    std::string_view what;    ///< that it is the id of
};
inline constexpr Cursor kAfterName{"", ""};

/// `?after=ID&limit=N` of a list. kInvalidValue for a limit that is not 1 to 1000, and for what is
/// no id `<prefix>_<ULID>`.
Result<common::v1::PageRequest> read_page(const http::RequestHead& head, const Cursor& cursor);

}  // namespace quire::gateway
