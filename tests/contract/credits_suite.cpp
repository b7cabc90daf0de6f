#include "tests/contract/credits_suite.hpp"

#include <fmt/format.h>

namespace quire::test {

credits::CreditsConfig credits_contract_config() {
    providers::ModelConfig writer;
    writer.price = {1'000'000, 2'000'000};
    writer.context_tokens = 8192;
    credits::CreditsConfig config;
    config.catalog.models.emplace_back("writer", writer);
    return config;
}

std::vector<CreditsCase> credits_cases() {
    std::vector<CreditsCase> all = credits_hold_cases();
    const auto more = credits_statement_cases();
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

awaitable<std::string> check_credits(const CreditsCase& rule, credits::Credits& port) {
    Findings found;
    const auto checked = co_await rule.check(port, found);
    if (!checked) {
        found.expect(false, fmt::format("a call failed with {}: {}", checked.error().name(),
                                        checked.error().message()));
    }
    co_return found.text();
}

}  // namespace quire::test
