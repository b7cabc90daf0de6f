#pragma once

#include "services/credits/ledger.hpp"

namespace quire::credits {

inline constexpr std::string_view kSettledType = "quire.credits.settled.v1";
inline constexpr std::string_view kGrantedType = "quire.credits.granted.v1";

/// The events as outbox rows, without id and time. The payload is the protobuf JSON of
/// credits.v1.Settled and .Granted, written by hand: the library's printer costs more than all the
/// rest of a settlement. credits_events_test reads them back with the library.
storage::OutboxRow settled_event(const SettleOrder& order, const TransferRow& hold,
                                 const PricedUsage& cost);
storage::OutboxRow granted_event(const TransferRow& grant, const std::string& traceparent);

}  // namespace quire::credits
