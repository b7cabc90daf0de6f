#pragma once

#include "base/clock.hpp"
#include "storage/connection.hpp"

#include <string>

namespace quire::storage {

/// The table that every consuming service's migration makes. One row per consumer and source:
/// events are applied in the order of their sequence, so the last one says of each whether it was.
inline constexpr std::string_view kInboxTable =
    "CREATE TABLE inbox (consumer TEXT NOT NULL, source TEXT NOT NULL, sequence INTEGER NOT NULL, "
    "event_id TEXT NOT NULL, received_at INTEGER NOT NULL, "
    "PRIMARY KEY (consumer, source)) STRICT, WITHOUT ROWID;";

struct Receipt {
    std::string consumer;
    std::string source;  ///< /services/<name>
    std::string event_id;
    std::int64_t sequence = 0;  ///< of the source's outbox
    Timestamp received_at;
};

enum class Arrival {
    kFirst,      ///< apply it, in this transaction
    kDuplicate,  ///< applied before: only acknowledge
    kGap,        ///< earlier events are missing: read them from the source first; nothing is noted
};

/// Notes an event in the transaction that applies it, so that its effect happens once and in order.
Result<Arrival> receive(Connection& connection, const Receipt& receipt);
/// The same without a look at what came before: for the last of the events that were read from the
/// source itself, all of which are applied in this transaction.
Result<void> note_received(Connection& connection, const Receipt& receipt);
/// The last sequence of `source` that `consumer` has applied, 0 at first.
Result<std::int64_t> last_received(Connection& connection, const std::string& consumer,
                                   const std::string& source);

}  // namespace quire::storage
