#include "services/credits/price_list.hpp"

namespace quire::credits {
namespace {

Result<Price> price_in_force(storage::Connection& connection, const std::string& model,
                             const providers::PriceConfig& wanted, Timestamp now) {
    QUIRE_TRY(const auto rows,
              connection.query("SELECT version, input, output FROM prices WHERE model = $1 "
                               "ORDER BY version DESC LIMIT 1",
                               {model}));
    if (!rows.empty() && rows[0].integer(1) == wanted.input &&
        rows[0].integer(2) == wanted.output) {
        return Price{rows[0].integer(0), wanted.input, wanted.output};
    }
    QUIRE_TRY(const auto made,
              connection.query("INSERT INTO prices (model, input, output, created_at) "
                               "VALUES ($1, $2, $3, $4) RETURNING version",
                               {model, wanted.input, wanted.output, now.micros}));
    return Price{made.front().integer(0), wanted.input, wanted.output};
}

}  // namespace

Result<PriceList> update_prices(storage::Connection& connection,
                                const providers::ModelCatalog& catalog, Timestamp now) {
    PriceList prices;
    for (const auto& [name, model] : catalog.models) {
        QUIRE_TRY(prices[name], price_in_force(connection, name, model.price, now));
    }
    return prices;
}

}  // namespace quire::credits
