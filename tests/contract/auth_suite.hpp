#pragma once

#include "quire/auth/v1/auth_port.hpp"
#include "tests/contract/port_case.hpp"

#include <vector>

namespace quire::test {

using AuthCase = PortCase<auth::Auth>;

/// Each case makes organizations of its own, and so needs no empty store.
std::vector<AuthCase> auth_cases();
std::vector<AuthCase> auth_key_cases();
std::vector<AuthCase> auth_tenancy_cases();
std::vector<AuthCase> auth_outbox_cases();

}  // namespace quire::test
