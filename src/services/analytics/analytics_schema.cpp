#include "services/analytics/analytics_schema.hpp"

#include "analytics_migrations.hpp"

namespace quire::analytics {

Result<void> migrate_analytics(storage::Connection& connection, std::string_view store,
                               const Clock& clock) {
    return storage::migrate(connection, kMigrations, store, clock);
}

}  // namespace quire::analytics
