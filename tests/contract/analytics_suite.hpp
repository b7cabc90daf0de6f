#pragma once

#include "quire/analytics/v1/analytics_port.hpp"
#include "tests/contract/port_case.hpp"

#include <vector>

namespace quire::test {

using AnalyticsCase = PortCase<analytics::Analytics>;

/// What has happened before the cases look: five requests of one project, oldest first, as the
/// outboxes of credits and prompts tell of them.
///
///     0  completed  writer  key 0  costs 20   streamed, a rule redacted, its texts are kept
///     1  completed  other   key 0  costs 30   by version 2 of the prompt `post`
///     2  blocked    writer  key 1  costs 0    by a rule on the input
///     3  failed     writer  key 0  costs 0    upstream
///     4  cancelled  other   key 1  costs 5    only the money is told of: its story was lost
struct AnalyticsLog {
    std::vector<common::v1::OutboxEvent> settlements;
    std::vector<common::v1::OutboxEvent> stories;
};
const AnalyticsLog& analytics_contract_log();
inline constexpr int kLoggedRequests = 5;

/// Whose requests they are.
rpc::CallContext analytics_caller();

std::vector<AnalyticsCase> analytics_cases();

}  // namespace quire::test
