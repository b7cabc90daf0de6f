#pragma once

#include "base/result.hpp"
#include "quire/review/v1/review.pb.h"
#include "services/review/hold_back.hpp"

#include <string>

namespace quire::review {

using Decisions = google::protobuf::RepeatedPtrField<v1::Decision>;

/// Counts in `quire_review_decisions_total`.
void count_decision(std::string_view stage, const Rule& rule, std::int64_t count);
/// One decision for each rule that did something, counted.
void append_decisions(const RuleSet& rules, const Tally& tally, const std::string& stage,
                      Decisions& decisions);

/// kReviewUnavailable: what cannot be reviewed does not pass.
Error unreviewable(std::string_view why);

}  // namespace quire::review
