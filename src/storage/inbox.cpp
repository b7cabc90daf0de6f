#include "storage/inbox.hpp"

namespace quire::storage {

Result<std::int64_t> last_received(Connection& connection, const std::string& consumer,
                                   const std::string& source) {
    QUIRE_TRY(const auto rows, connection.query("SELECT COALESCE(MAX(sequence), 0) FROM inbox "
                                                "WHERE consumer = $1 AND source = $2",
                                                {consumer, source}));
    return rows.front().integer(0);
}

Result<Arrival> receive(Connection& connection, const Receipt& receipt) {
    QUIRE_TRY(const std::int64_t last, last_received(connection, receipt.consumer, receipt.source));
    if (receipt.sequence <= last) return Arrival::kDuplicate;
    if (receipt.sequence != last + 1) return Arrival::kGap;
    const auto noted = receive_after_hole(connection, receipt);
    if (!noted) return noted.error();
    return Arrival::kFirst;
}

Result<void> receive_after_hole(Connection& connection, const Receipt& receipt) {
    const auto noted = connection.execute("INSERT INTO inbox VALUES ($1, $2, $3, $4, $5)",
                                          {receipt.consumer, receipt.source, receipt.event_id,
                                           receipt.sequence, receipt.received_at.micros});
    if (!noted) return noted.error();
    return {};
}

}  // namespace quire::storage
