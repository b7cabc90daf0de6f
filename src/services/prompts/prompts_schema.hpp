#pragma once

#include "base/clock.hpp"
#include "storage/connection.hpp"

#include <string_view>

namespace quire::prompts {

/// Brings a store up to the newest schema of prompts. kStorageUnavailable when it is newer still,
/// or an applied step was edited.
Result<void> migrate_prompts(storage::Connection& connection, std::string_view store,
                             const Clock& clock);

}  // namespace quire::prompts
