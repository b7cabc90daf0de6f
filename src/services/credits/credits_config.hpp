#pragma once

#include "providers/model_catalog.hpp"

#include <cstdint>

namespace quire::credits {

/// `credits:`, and the models with their prices.
struct CreditsConfig {
    providers::ModelCatalog catalog;
    std::int64_t queue = 10'000;  ///< operations that may wait for the ledger
};

}  // namespace quire::credits
