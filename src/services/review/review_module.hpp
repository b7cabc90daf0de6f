#pragma once

#include "runtime/wiring.hpp"

#include <memory>

namespace quire::review {

/// Compiles the policies of ReviewConfig and offers the port `Review`. Errors: those of
/// Policies::compile, under `review`.
Result<std::unique_ptr<runtime::Module>> make_review(runtime::Wiring& wiring);

}  // namespace quire::review
