#pragma once

#include "quire/common/v1/common.pb.h"
#include "services/credits/ledger.hpp"
#include "storage/outbox_page.hpp"

namespace quire::credits {

inline constexpr std::string_view kSettledType = "quire.credits.settled.v1";
inline constexpr std::string_view kGrantedType = "quire.credits.granted.v1";

/// The price of a usage, as messages say it.
common::v1::Cost to_message(const PricedUsage& cost, bool is_estimated);

/// What the ledger tells, as outbox rows without id and time: credits.v1.Settled and .Granted.
storage::OutboxRow settled_event(const SettleOrder& order, const TransferRow& hold,
                                 const PricedUsage& cost, Money written_off);
storage::OutboxRow granted_event(const TransferRow& grant, const std::string& traceparent);
const storage::EventTypes& event_types();

}  // namespace quire::credits
