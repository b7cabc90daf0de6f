#pragma once

#include "storage/connection.hpp"
#include "tests/sim/reference_ledger.hpp"

#include <map>
#include <string>
#include <vector>

namespace quire::sim {

/// All that a ledger's store holds, read by plain queries: neither the ledger nor its own checks
/// have a part in it.
struct StoreImage {
    struct Event {
        std::int64_t sequence = 0;
        std::string type;
        std::string subject;
        std::string payload;
    };

    std::vector<ReferenceEntry> entries;  ///< in order
    std::vector<std::string> entry_ids;   ///< of the same entries
    std::map<std::string, ReferenceBalance> balances;
    std::map<std::string, std::pair<std::int64_t, Timestamp>> holds;
    ReferenceKeys keys;
    std::vector<Event> events;

    static Result<StoreImage> read(storage::Connection& connection);
};

/// The first invariant that the store breaks on its own (I1 to I6, I8, I9; each entry's id above
/// the one before), "" when none.
std::string broken_invariant(const StoreImage& store);

/// The first difference between the store and the world of `reference`, "" when there is none.
std::string difference(const StoreImage& store, const ReferenceLedger& reference);

}  // namespace quire::sim
