#include "tests/contract/prompts_suite.hpp"

namespace quire::test {

std::vector<PromptsCase> prompts_cases() {
    return join_cases<PromptsCase>({prompts_version_cases(), prompts_generation_cases()});
}

}  // namespace quire::test
