#include "tests/contract/auth_suite.hpp"

namespace quire::test {

std::vector<AuthCase> auth_cases() {
    return join_cases<AuthCase>({auth_key_cases(), auth_tenancy_cases(), auth_outbox_cases()});
}

}  // namespace quire::test
