#pragma once

#include "runtime/wiring.hpp"

#include <memory>

namespace quire::prompts {

/// Offers the port `Prompts`; needs `Credits`, `Review` and `Inference`.
Result<std::unique_ptr<runtime::Module>> make_prompts(runtime::Wiring& wiring);

}  // namespace quire::prompts
