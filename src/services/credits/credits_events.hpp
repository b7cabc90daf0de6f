#pragma once

#include "services/credits/ledger.hpp"
#include "storage/outbox_page.hpp"

namespace quire::credits {

inline constexpr std::string_view kSettledType = "quire.credits.settled.v1";
inline constexpr std::string_view kGrantedType = "quire.credits.granted.v1";

/// What the ledger tells, as outbox rows without id and time: credits.v1.Settled and .Granted.
storage::OutboxRow settled_event(const SettleOrder& order, const TransferRow& hold,
                                 const PricedUsage& cost);
storage::OutboxRow granted_event(const TransferRow& grant, const std::string& traceparent);
const storage::EventTypes& event_types();

}  // namespace quire::credits
