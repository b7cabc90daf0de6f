#pragma once

#include "base/clock.hpp"
#include "storage/connection.hpp"

#include <span>
#include <string>
#include <string_view>

namespace quire::storage {

/// One step of a schema, embedded in the binary from migrations/sqlite/NNNN_name.sql.
struct Migration {
    int version;
    std::string_view name;
    std::string_view sql;
};

/// Brings the schema up to the last of `migrations` in one transaction, noting each step in
/// `schema_migrations`. kStorageUnavailable, naming both versions, when the store is newer than
/// the binary, when a step that was applied has been edited since (checksum), and when a step
/// before an applied one never ran.
Result<void> migrate(Connection& connection, std::span<const Migration> migrations,
                     std::string_view store, const Clock& clock);

/// Whether the schema is the last of `migrations`, changing nothing. kStorageUnavailable as of
/// `migrate`, and for a store that is older.
Result<void> check_migrated(Connection& connection, std::span<const Migration> migrations,
                            std::string_view store);

}  // namespace quire::storage
