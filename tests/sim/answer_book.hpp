#pragma once

#include "tests/sim/orders.hpp"
#include "tests/sim/store_image.hpp"

#include <map>
#include <string>

namespace quire::sim {

/// Every durable effect that a client was told of, kept apart from the reference ledger: what was
/// promised once may not be promised otherwise later, and must be in the store.
class AnswerBook {
public:
    /// How `outcome` contradicts what was told before, "" when it does not.
    std::string note(const Order& order, const Outcome& outcome);
    /// The first promise that the store does not keep (I12), "" when it keeps all.
    std::string broken_promise(const StoreImage& store) const;

private:
    struct Promises {
        std::string hold;  ///< facts and id
        std::string settle;
        std::string grant;
        std::int64_t settled = 0;
    };

    std::map<std::string, Promises> promises_;  ///< by request or grant
};

}  // namespace quire::sim
