#include "services/prompts/generation.hpp"

namespace quire::prompts {

awaitable<Result<void>> run_generation(const GenerationPorts& ports, const rpc::CallContext& ctx,
                                       const v1::ChatCall& call,
                                       rpc::Sink<common::v1::ChatEvent>& sink) {
    inference::v1::GenerateRequest request;
    *request.mutable_request() = call.request();
    auto generated = co_await ports.inference->generate(ctx, request, sink);
    co_return generated;
}

}  // namespace quire::prompts
