#pragma once

#include "runtime/wiring.hpp"

#include <memory>

namespace quire::inference {

/// Makes providers and queues out of InferenceConfig and offers the port `Inference`.
Result<std::unique_ptr<runtime::Module>> make_inference(runtime::Wiring& wiring);

}  // namespace quire::inference
