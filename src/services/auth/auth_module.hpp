#pragma once

#include "runtime/wiring.hpp"

#include <memory>

namespace quire::auth {

/// Opens auth.db, offers the port `Auth` and the first run. Errors: kStorageUnavailable.
Result<std::unique_ptr<runtime::Module>> make_auth(runtime::Wiring& wiring);

}  // namespace quire::auth
