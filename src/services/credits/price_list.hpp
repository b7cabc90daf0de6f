#pragma once

#include "base/clock.hpp"
#include "providers/model_catalog.hpp"
#include "services/credits/price_book.hpp"
#include "storage/connection.hpp"

#include <map>
#include <string>

namespace quire::credits {

/// The prices in force, by model.
using PriceList = std::map<std::string, Price, std::less<>>;

/// Writes a new version for each model whose price is not the last one in the store, and gives
/// those in force. Within the caller's transaction.
Result<PriceList> update_prices(storage::Connection& connection,
                                const providers::ModelCatalog& catalog, Timestamp now);

}  // namespace quire::credits
