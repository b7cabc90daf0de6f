#include "tests/contract/credits_suite.hpp"

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
    return join_cases<CreditsCase>({credits_hold_cases(), credits_statement_cases()});
}

}  // namespace quire::test
