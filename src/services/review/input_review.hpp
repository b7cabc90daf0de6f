#pragma once

#include "quire/review/v1/review_port.hpp"
#include "services/review/rule_set.hpp"

namespace quire::review {

/// Reviews every text of a request: text parts, text within raw parts of a text type, tool calls
/// and what else a message carries. Long texts are done in turns, so that other requests of the
/// loop go on. Fills the response's decisions, and its request once something was redacted.
/// kContentPolicyViolation with details `rule` and `kind`; kReviewUnavailable.
awaitable<Result<void>> review_request(const RuleSet& rules, const common::v1::ChatRequest& request,
                                       v1::ReviewInputResponse& response);

}  // namespace quire::review
