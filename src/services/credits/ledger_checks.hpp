#pragma once

#include "storage/connection.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace quire::credits {

/// What a look at the whole ledger found.
struct LedgerReport {
    std::map<std::string, std::int64_t> checked;  ///< invariant to the rows it looked at
    std::vector<std::string> violations;          ///< "I4: account 7 …"; at most 20 of each

    bool is_ok() const { return violations.empty(); }
};

/// The ledger's invariants, read from the store alone, within the caller's transaction:
///   I1, I2  debits equal credits, posted and pending
///   I3      every balance is the fold of its transfers
///   I4      no prepaid account is overdrawn
///   I5      a hold ends at most once, and takes at most what it held
///   I6      the open holds add up to what is pending
///   I8      a request is settled at most once
///   I9      every grant and usage has exactly one event, and the outbox has no holes
/// `is_quick` leaves out I3, I5, I8 and I9, which read every transfer.
Result<LedgerReport> check_ledger(storage::Connection& connection, bool is_quick = false);

}  // namespace quire::credits
