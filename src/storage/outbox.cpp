#include "storage/outbox.hpp"

#include <algorithm>
#include <iterator>

namespace quire::storage {

namespace {

/// A page ends with the event that reaches so many bytes of payload.
constexpr std::size_t kPageBytes = 2 * 1024 * 1024;
constexpr std::int64_t kRowsAtOnce = 32;

constexpr std::string_view kInsert =
    "INSERT INTO outbox (event_id, type, subject, payload, traceparent, created_at) VALUES "
    "($1, $2, $3, $4, $5, $6)";
constexpr std::string_view kInsertOnce =
    "INSERT INTO outbox (event_id, type, subject, payload, traceparent, created_at) "
    // A conflict would use a number up, and its gap look like a lost event.
    "SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE event_id = $1)";

Result<std::int64_t> insert(Connection& connection, std::string_view sql, const OutboxRow& event) {
    return connection.execute(sql,
                              {std::string_view(event.event_id), std::string_view(event.type),
                               std::string_view(event.subject), std::string_view(event.payload),
                               std::string_view(event.traceparent), event.created_at.micros});
}

}  // namespace

Result<void> append_event(Connection& connection, const OutboxRow& event) {
    QUIRE_TRY([[maybe_unused]] const auto written, insert(connection, kInsert, event));
    return {};
}

Result<bool> append_event_once(Connection& connection, const OutboxRow& event) {
    QUIRE_TRY(const std::int64_t written, insert(connection, kInsertOnce, event));
    return written > 0;
}

Result<OutboxRows> read_outbox(Connection& connection, std::int64_t after_sequence,
                               std::int64_t limit) {
    std::int64_t left = limit == 0 ? 100 : std::clamp<std::int64_t>(limit, 1, 1000);
    OutboxRows events;
    std::size_t bytes = 0;
    for (events.has_more = true; events.has_more && left > 0;) {
        const std::int64_t count = std::min(left, kRowsAtOnce);
        QUIRE_TRY(const auto rows,
                  connection.query("SELECT seq, event_id, type, subject, payload, traceparent, "
                                   "created_at FROM outbox WHERE seq > $1 ORDER BY seq LIMIT $2",
                                   {after_sequence, count}));
        for (const Row& row : rows) {
            events.list.push_back({row.integer(0), row.text(1), row.text(2), row.text(3),
                                   row.text(4), row.text(5), Timestamp{row.integer(6)}});
            bytes += events.list.back().payload.size();
            if (bytes >= kPageBytes) return events;
        }
        events.has_more = static_cast<std::int64_t>(rows.size()) == count;
        if (!rows.empty()) after_sequence = events.list.back().sequence;
        left -= count;
    }
    return events;
}

Result<bool> OutboxRetention::prune(Connection& connection, Timestamp until, Timestamp now) {
    QUIRE_TRY(const auto rows, connection.query("SELECT seq, created_at FROM outbox WHERE seq > $1 "
                                                "ORDER BY seq LIMIT $2",
                                                {after_, kBatch}));
    const auto is_old = [&](const Row& row) { return row.integer(1) < until.micros; };
    const auto is_ahead = [&](const Row& row) { return row.integer(1) > now.micros; };
    const auto first_young = std::find_if(
        rows.begin(), rows.end(), [&](const Row& row) { return !is_old(row) && !is_ahead(row); });
    const auto last_old =
        std::find_if(std::make_reverse_iterator(first_young), rows.rend(), is_old);
    if (last_old == rows.rend()) {
        const bool is_full = static_cast<std::int64_t>(rows.size()) == kBatch;
        const bool goes_on = is_full && first_young == rows.end();
        after_ = goes_on ? rows.back().integer(0) : 0;
        return goes_on;
    }
    QUIRE_TRY(const std::int64_t gone,
              connection.execute("DELETE FROM outbox WHERE seq <= $1 AND seq < (SELECT MIN(seq) "
                                 "FROM outbox) + $2",
                                 {last_old->integer(0), kBatch}));
    return gone > 0;
}

}  // namespace quire::storage
