#pragma once

#include "quire/credits/v1/credits_port.hpp"
#include "services/credits/credits_config.hpp"
#include "tests/contract/auth_suite.hpp"

#include <string>
#include <vector>

namespace quire::test {

/// One rule of credits' contract. Written against the port alone, so that it holds for the service
/// in this process and for its wire client alike.
struct CreditsCase {
    std::string name;
    awaitable<Result<void>> (*check)(credits::Credits& port, Findings& found);
};

/// The model that the cases ask for: `writer`, one micro-credit an input token, two an output one.
credits::CreditsConfig credits_contract_config();

/// Each case has organizations of its own, and so needs no empty store.
std::vector<CreditsCase> credits_cases();
std::vector<CreditsCase> credits_hold_cases();
std::vector<CreditsCase> credits_statement_cases();

/// "" when the rule holds, else what was seen instead.
awaitable<std::string> check_credits(const CreditsCase& rule, credits::Credits& port);

}  // namespace quire::test
