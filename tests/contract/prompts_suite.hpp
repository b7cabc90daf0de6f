#pragma once

#include "quire/prompts/v1/prompts_port.hpp"
#include "tests/contract/port_case.hpp"

#include <vector>

namespace quire::test {

using PromptsCase = PortCase<prompts::Prompts>;

/// What the cases expect behind the port: the models `first` and `second`, which say again what
/// they were asked last, count 3 tokens of input and 4 of output, and may give 100; `broken`, whose
/// upstream fails before any content; a ledger that admits everything and charges 7.
inline constexpr std::int64_t kChargedForAll = 7;

/// Each case has a project of its own, and so needs no empty store.
std::vector<PromptsCase> prompts_cases();
std::vector<PromptsCase> prompts_version_cases();
std::vector<PromptsCase> prompts_generation_cases();

}  // namespace quire::test
