#pragma once

#include "quire/common/v1/common.pb.h"
#include "runtime/http/http_server.hpp"

namespace quire::gateway {

/// `?after=ID&limit=N` of a list. kInvalidValue for a limit that is not 1 to 1000.
Result<common::v1::PageRequest> read_page(const http::RequestHead& head);

}  // namespace quire::gateway
