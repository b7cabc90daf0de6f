#include "storage/inbox.hpp"

namespace quire::storage {

Result<std::int64_t> last_received(Connection& connection, const std::string& consumer,
                                   const std::string& source) {
    QUIRE_TRY(const auto rows, connection.query("SELECT sequence FROM inbox "
                                                "WHERE consumer = $1 AND source = $2",
                                                {consumer, source}));
    return rows.empty() ? 0 : rows.front().integer(0);
}

Result<Arrival> receive(Connection& connection, const Receipt& receipt) {
    QUIRE_TRY(const std::int64_t last, last_received(connection, receipt.consumer, receipt.source));
    if (receipt.sequence <= last) return Arrival::kDuplicate;
    if (receipt.sequence != last + 1) return Arrival::kGap;
    const auto noted = note_received(connection, receipt);
    if (!noted) return noted.error();
    return Arrival::kFirst;
}

Result<void> note_received(Connection& connection, const Receipt& receipt) {
    const auto noted = connection.execute(
        "INSERT INTO inbox (consumer, source, sequence, event_id, received_at) VALUES ($1, $2, $3, "
        "$4, $5) ON CONFLICT (consumer, source) DO UPDATE SET sequence = excluded.sequence, "
        "event_id = excluded.event_id, received_at = excluded.received_at",
        {receipt.consumer, receipt.source, receipt.sequence, receipt.event_id,
         receipt.received_at.micros});
    if (!noted) return noted.error();
    return {};
}

}  // namespace quire::storage
