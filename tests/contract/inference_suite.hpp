#pragma once

#include "quire/inference/v1/inference_port.hpp"
#include "services/inference/inference_config.hpp"
#include "tests/contract/port_case.hpp"

#include <vector>

namespace quire::test {

using InferenceCase = PortCase<inference::Inference>;

/// The models that the cases ask for, in this order: `writer`, which says six words; `single` and
/// `stuck`, which take one request, say a word and then nothing for an hour, and let nobody wait or
/// one; `absent`, where nobody listens.
inference::InferenceConfig inference_contract_config();

std::vector<InferenceCase> inference_cases();

}  // namespace quire::test
