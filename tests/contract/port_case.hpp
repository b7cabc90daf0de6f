#pragma once

#include "tests/contract/findings.hpp"

#include <fmt/format.h>

#include <string>
#include <type_traits>
#include <vector>

namespace quire::test {

/// One rule of a service's contract. Written against the port alone, so that it holds for the
/// service in this process and for its wire client alike. An Error is a call that failed where it
/// must not.
template <class Port>
struct PortCase {
    std::string name;
    awaitable<Result<void>> (*check)(Port& port, Findings& found);
};

/// "" when the rule holds, else what was seen instead.
template <class Port>
awaitable<std::string> check_case(const PortCase<Port>& rule, std::type_identity_t<Port>& port) {
    Findings found;
    const auto checked = co_await rule.check(port, found);
    if (!checked) {
        found.expect(false, fmt::format("a call failed with {}: {}", checked.error().name(),
                                        checked.error().message()));
    }
    co_return found.text();
}

template <class Case>
std::vector<Case> join_cases(std::vector<std::vector<Case>> parts) {
    std::vector<Case> all;
    for (auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

}  // namespace quire::test
