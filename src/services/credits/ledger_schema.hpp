#pragma once

#include "base/clock.hpp"
#include "storage/connection.hpp"

#include <string_view>

namespace quire::credits {

/// Brings a store up to the ledger's newest schema. kStorageUnavailable when it is newer still, or
/// an applied step was edited.
Result<void> migrate_ledger(storage::Connection& connection, std::string_view store,
                            const Clock& clock);
/// The same without changing anything: kStorageUnavailable for a store that is older, too.
Result<void> check_ledger_schema(storage::Connection& connection, std::string_view store);

}  // namespace quire::credits
