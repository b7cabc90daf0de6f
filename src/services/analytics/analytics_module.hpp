#pragma once

#include "runtime/wiring.hpp"

namespace quire::analytics {

/// The request log over `analytics.db`, fed by the outboxes of credits and prompts.
Result<std::unique_ptr<runtime::Module>> make_analytics(runtime::Wiring& wiring);

}  // namespace quire::analytics
