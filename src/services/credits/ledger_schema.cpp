#include "services/credits/ledger_schema.hpp"

#include "credits_migrations.hpp"

namespace quire::credits {

Result<void> migrate_ledger(storage::Connection& connection, std::string_view store,
                            const Clock& clock) {
    return storage::migrate(connection, kMigrations, store, clock);
}

Result<void> check_ledger_schema(storage::Connection& connection, std::string_view store) {
    return storage::check_migrated(connection, kMigrations, store);
}

}  // namespace quire::credits
