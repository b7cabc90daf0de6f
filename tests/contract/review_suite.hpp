#pragma once

#include "quire/review/v1/review_port.hpp"
#include "services/review/review_config.hpp"
#include "tests/contract/port_case.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace quire::test {

/// The policies that a port is checked with: `default`, and `strict` for the project prj_strict.
review::ReviewConfig review_contract_config();

using ReviewCase = PortCase<review::Review>;

std::vector<ReviewCase> review_cases();
std::vector<ReviewCase> review_input_cases();
std::vector<ReviewCase> review_output_cases();

/// A caller of this project.
rpc::CallContext review_caller(std::string project_id);

/// A request of one user message.
common::v1::ChatRequest request_saying(std::string text);

/// Everything that a session let through.
struct Released {
    std::string content;
    std::string reasoning;
    std::vector<common::v1::ToolCallDelta> calls;
    std::string logprobs;
    bool is_blocked = false;
    std::string decisions;  ///< "rule action count" one a line, added up
};
/// Sends each delta in a piece of its own, then ends the session.
awaitable<Result<Released>> run_session(review::Review& port, std::string project_id,
                                        std::vector<common::v1::Delta> deltas);

common::v1::Delta text_delta(std::string text, common::v1::Channel channel = common::v1::CONTENT);
common::v1::Delta call_delta(int index, std::string name, std::string arguments);

}  // namespace quire::test
