#include "services/prompts/prompts_schema.hpp"

#include "prompts_migrations.hpp"

namespace quire::prompts {

Result<void> migrate_prompts(storage::Connection& connection, std::string_view store,
                             const Clock& clock) {
    return storage::migrate(connection, kMigrations, store, clock);
}

}  // namespace quire::prompts
