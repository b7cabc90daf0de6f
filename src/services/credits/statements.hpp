#pragma once

#include "services/credits/ledger_store.hpp"

namespace quire::credits {

// What can be read of the ledger beside its thread: within a transaction of a reading connection,
// and so always a state that was committed.

struct Balance {
    Money available;
    Money held;
};
Result<Balance> read_balance(storage::Connection& connection, const std::string& org_id);

/// A line of an organization's statement; all of them add up to available and held together.
struct Entry {
    std::string id;
    Timestamp at;
    std::string kind;  ///< grant, usage, overrun
    Money amount;      ///< signed
    std::string request_id;
    std::string description;
};
Entry entry_of_grant(const TransferRow& grant);
/// Newest first in commit order, those before the entry `after` ("" = from the newest).
Result<std::vector<Entry>> read_entries(storage::Connection& connection, const std::string& org_id,
                                        const std::string& after, std::int64_t limit);

/// Open holds in the order of their requests' ids after `after`; `owner` "" = everybody's.
Result<std::vector<HoldRow>> read_holds(storage::Connection& connection, const std::string& owner,
                                        const std::string& after, std::int64_t limit);

}  // namespace quire::credits
