#include "services/prompts/generation.hpp"

#include "services/prompts/usage_estimate.hpp"

namespace quire::prompts {
namespace {

using common::v1::ChatEvent;

/// Passes events on, counts what was produced, and completes an end that came without usage.
class CountedStream final : public rpc::Sink<ChatEvent> {
public:
    CountedStream(const common::v1::ChatRequest& request, rpc::Sink<ChatEvent>& sink)
        : estimate_(request), sink_(sink) {}

    awaitable<Result<void>> write(const ChatEvent& event) override {
        if (event.has_delta()) estimate_.add(event.delta());
        if (!event.has_finished() || event.finished().has_usage()) {
            co_return co_await sink_.write(event);
        }
        ChatEvent completed = event;
        *completed.mutable_finished()->mutable_usage() = estimate_.usage();
        co_return co_await sink_.write(completed);
    }

private:
    UsageEstimate estimate_;
    rpc::Sink<ChatEvent>& sink_;
};

}  // namespace

awaitable<Result<void>> run_generation(const GenerationPorts& ports, const rpc::CallContext& ctx,
                                       const v1::ChatCall& call, rpc::Sink<ChatEvent>& sink) {
    inference::v1::GenerateRequest request;
    *request.mutable_request() = call.request();
    CountedStream counted(call.request(), sink);
    co_return co_await ports.inference->generate(ctx, request, counted);
}

}  // namespace quire::prompts
