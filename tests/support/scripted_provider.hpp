#pragma once

#include "base/clock.hpp"
#include "providers/provider.hpp"

#include <optional>
#include <string>
#include <vector>

namespace quire::test {

/// One call of a model back end: the texts that it gives, and how it ends.
struct ScriptedAttempt {
    std::vector<std::string> texts;
    providers::Completion completion{"stop", std::nullopt};
    bool waits = false;  ///< after the texts, until it is cancelled
    std::optional<Error> failure = std::nullopt;
};

/// An attempt that fails with words that nobody above may repeat.
inline ScriptedAttempt failing_attempt(ErrorCode code, std::vector<std::string> texts = {}) {
    ScriptedAttempt attempt;
    attempt.texts = std::move(texts);
    attempt.failure.emplace(code, "the upstream's own words at gpu-7:8000");
    return attempt;
}

/// A model back end that does what the test says: 3 ms to its headers and 4 ms to its first text on
/// the test's clock.
class ScriptedProvider final : public providers::Provider {
public:
    explicit ScriptedProvider(ManualClock& clock) : clock_(clock) {}

    awaitable<Result<providers::Completion>> generate(const rpc::CallContext& /*ctx*/,
                                                      const providers::ProviderRequest& request,
                                                      providers::DeltaSink& sink) override {
        called_at.push_back(SystemClock().steady());
        upstream_model = request.upstream_model;
        max_tokens_field = request.max_tokens_field;
        max_output_tokens = request.max_output_tokens;
        timeouts = request.timeouts;
        const ScriptedAttempt attempt = attempts.empty() ? ScriptedAttempt() : attempts.front();
        if (attempts.size() > 1) attempts.erase(attempts.begin());
        clock_.advance(std::chrono::milliseconds(3));
        sink.on_headers();
        clock_.advance(std::chrono::milliseconds(4));
        common::v1::Delta delta;
        for (const std::string& text : attempt.texts) {
            delta.set_text(text);
            const auto written = co_await sink.write(delta);
            if (!written) co_return written.error();
        }
        if (attempt.waits) {
            const auto slept = co_await runtime::sleep_for(std::chrono::hours(1));
            if (!slept) co_return slept.error();
        }
        if (attempt.failure) co_return *attempt.failure;
        co_return attempt.completion;
    }

    std::vector<ScriptedAttempt> attempts;  ///< the last one repeats; none: an empty answer
    std::vector<SteadyTime> called_at;
    std::string upstream_model;
    std::string max_tokens_field;
    std::int64_t max_output_tokens = 0;
    providers::UpstreamTimeouts timeouts;

private:
    ManualClock& clock_;
};

}  // namespace quire::test
