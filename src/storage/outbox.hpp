#pragma once

#include "base/clock.hpp"
#include "storage/connection.hpp"

#include <string>
#include <vector>

namespace quire::storage {

/// The table that every publishing service's first migration makes. `seq` is assigned in commit
/// order, since each store has one writer.
inline constexpr std::string_view kOutboxTable =
    "CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, "
    "type TEXT NOT NULL, subject TEXT NOT NULL, payload TEXT NOT NULL, traceparent TEXT NOT NULL, "
    "created_at INTEGER NOT NULL) STRICT;";

struct OutboxRow {
    std::int64_t sequence = 0;  ///< set by the store
    std::string event_id;       ///< evt_ + ULID
    std::string type;           ///< quire.<service>.<event>.v1
    std::string subject;
    std::string payload;  ///< the event's message, serialized
    std::string traceparent;
    Timestamp created_at;
};

/// Writes an event in the transaction that makes it true. kAlreadyExists for an id that is there.
Result<void> append_event(Connection& connection, const OutboxRow& event);
/// The same for an event that may have been told before; false, and nothing written, when it was.
Result<bool> append_event_once(Connection& connection, const OutboxRow& event);

struct OutboxRows {
    std::vector<OutboxRow> list;
    bool has_more = false;  ///< there may be more after them
};

/// Rows after `after_sequence`, in order; `limit` 0 means 100, at most 1000. Fewer where their
/// payloads have a few MiB together: a page is held in memory, and is a message on the wire.
Result<OutboxRows> read_outbox(Connection& connection, std::int64_t after_sequence,
                               std::int64_t limit);

/// Deletes old events, `kBatch` at a time and in their order. What is dated ahead and comes before
/// an old event is as old: a clock had been set ahead.
class OutboxRetention {
public:
    static constexpr std::int64_t kBatch = 100;

    /// Of the events told before `until`, the next few; false when there are no more. What is dated
    /// after `now` is dated ahead.
    Result<bool> prune(Connection& connection, Timestamp until, Timestamp now);

private:
    std::int64_t after_ = 0;  ///< all up to here are dated ahead
};

}  // namespace quire::storage
