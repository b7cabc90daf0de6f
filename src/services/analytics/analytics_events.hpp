#pragma once

#include "quire/common/v1/common.pb.h"
#include "services/analytics/log_batch.hpp"

namespace quire::analytics {

/// Applies one event of another service to the log: money from `credits.settled` only, all else
/// from the story that prompts tell; whichever of the two comes first. Other types are passed over.
/// kInvalidValue for an event that cannot be read.
Result<void> apply_event(LogBatch& batch, const common::v1::OutboxEvent& event);

}  // namespace quire::analytics
