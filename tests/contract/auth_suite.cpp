#include "tests/contract/auth_suite.hpp"

#include <fmt/format.h>

namespace quire::test {

void Findings::expect(bool holds, std::string_view otherwise) {
    if (!holds) text_ += fmt::format("{}\n", otherwise);
}

void Findings::expect_error(const Error& error, ErrorCode code, std::string_view call,
                            std::string_view param) {
    expect(error.code() == code,
           fmt::format("{}: refused with {} instead of {}", call, error.name(), row_of(code).name));
    expect(error.detail("param") == param,
           fmt::format("{}: names '{}' instead of '{}'", call, error.detail("param"), param));
}

std::vector<AuthCase> auth_cases() {
    std::vector<AuthCase> all = auth_key_cases();
    for (const auto& part : {auth_tenancy_cases(), auth_outbox_cases()}) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

awaitable<std::string> check_auth(const AuthCase& rule, auth::Auth& port) {
    Findings found;
    const auto checked = co_await rule.check(port, found);
    if (!checked) {
        found.expect(false, fmt::format("a call failed with {}: {}", checked.error().name(),
                                        checked.error().message()));
    }
    co_return found.text();
}

}  // namespace quire::test
