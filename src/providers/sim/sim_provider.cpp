#include "providers/sim/sim_provider.hpp"

#include "providers/chat_json.hpp"
#include "providers/sim/simulated_text.hpp"

namespace quire::providers {

awaitable<Result<Completion>> SimProvider::generate(const rpc::CallContext& /*ctx*/,
                                                    const ProviderRequest& request,
                                                    DeltaSink& sink) {
    const common::v1::ChatRequest& chat = request.chat;
    SimulatedText::Options options;
    options.seed = static_cast<std::uint64_t>(config_.seed);
    if (chat.has_seed()) options.seed ^= static_cast<std::uint64_t>(chat.seed());
    options.tokens = config_.tokens;
    options.tokens_max = request.max_output_tokens;
    if (chat.has_max_tokens()) options.tokens_max = chat.max_tokens();
    if (chat.has_max_completion_tokens()) options.tokens_max = chat.max_completion_tokens();
    options.stop.assign(chat.stop().begin(), chat.stop().end());
    const std::string prompt = plain_text_of(chat);
    const SimulatedText text(prompt, options);

    sink.on_headers();
    common::v1::Delta delta;
    bool is_first = true;
    for (const std::string& token : text.tokens()) {
        const auto pause = std::exchange(is_first, false) ? config_.ttft : config_.itl;
        if (pause.count() > 0) {
            const auto slept = co_await runtime::sleep_for(pause);
            if (!slept) co_return slept.error();
        }
        delta.set_text(token);
        const auto written = co_await sink.write(delta);
        if (!written) co_return written.error();
    }
    Completion completion;
    completion.finish_reason = text.finish_reason();
    completion.usage.emplace();
    completion.usage->set_input_tokens(count_words(prompt));
    completion.usage->set_output_tokens(static_cast<std::int64_t>(text.tokens().size()));
    co_return completion;
}

}  // namespace quire::providers
