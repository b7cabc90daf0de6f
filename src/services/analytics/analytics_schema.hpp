#pragma once

#include "storage/migrations.hpp"

namespace quire::analytics {

/// Brings `analytics.db` (`store` in messages) up to what this program knows.
Result<void> migrate_analytics(storage::Connection& connection, std::string_view store,
                               const Clock& clock);

}  // namespace quire::analytics
