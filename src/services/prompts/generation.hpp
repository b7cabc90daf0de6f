#pragma once

#include "quire/inference/v1/inference_port.hpp"
#include "quire/prompts/v1/prompts_port.hpp"

namespace quire::prompts {

/// The services that a generation calls, as ports.
struct GenerationPorts {
    std::shared_ptr<inference::Inference> inference;
};

/// One generation from the caller's messages to the last event. `call` and `sink` outlive it.
awaitable<Result<void>> run_generation(const GenerationPorts& ports, const rpc::CallContext& ctx,
                                       const v1::ChatCall& call,
                                       rpc::Sink<common::v1::ChatEvent>& sink);

}  // namespace quire::prompts
