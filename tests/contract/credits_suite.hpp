#pragma once

#include "quire/credits/v1/credits_port.hpp"
#include "services/credits/credits_config.hpp"
#include "tests/contract/port_case.hpp"

#include <vector>

namespace quire::test {

using CreditsCase = PortCase<credits::Credits>;

/// The model that the cases ask for: `writer`, one micro-credit an input token, two an output one.
credits::CreditsConfig credits_contract_config();

/// Each case has organizations of its own, and so needs no empty store.
std::vector<CreditsCase> credits_cases();
std::vector<CreditsCase> credits_hold_cases();
std::vector<CreditsCase> credits_statement_cases();

}  // namespace quire::test
