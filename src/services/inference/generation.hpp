#pragma once

#include "services/inference/inference_service.hpp"

#include <optional>

namespace quire::inference {

/// One request on one model: its attempts, its first content, its end. Attempts repeat only while
/// nothing was passed on and the request's retry budget lasts; pauses double from 100 ms, jittered.
class Generation final : private providers::DeltaSink {
public:
    Generation(const ServedModel& model, const InferenceConfig& config, const Clock& clock,
               Rng& rng, rpc::Sink<common::v1::ChatEvent>& sink);

    /// The request stood in line from `began` until now.
    void note_queued(SteadyTime began);
    awaitable<Result<void>> run(const rpc::CallContext& ctx, const common::v1::ChatRequest& chat);
    /// What was waited for, where nothing came. `run` does it by itself.
    awaitable<void> tell_unanswered();

private:
    void on_headers() override;
    awaitable<Result<void>> write(const common::v1::Delta& delta) override;

    awaitable<Result<providers::Completion>> attempt(const rpc::CallContext& ctx,
                                                     const common::v1::ChatRequest& chat);
    awaitable<Result<void>> pause_before_retry(int failures);
    awaitable<void> tell_attempt(SteadyTime ended);
    awaitable<Result<void>> send_first();
    awaitable<Result<void>> send_started();
    awaitable<Result<void>> send_finished(const providers::Completion& completion);
    void add_step(std::string_view name, SteadyTime from, SteadyTime to);
    Error as_seen_by_caller(Error error) const;

    const ServedModel& model_;
    const InferenceConfig& config_;
    const Clock& clock_;
    Rng& rng_;
    rpc::Sink<common::v1::ChatEvent>& sink_;
    common::v1::ChatEvent event_;  ///< reused for every delta
    common::v1::Started started_;
    SteadyTime origin_;
    SteadyTime attempt_began_;
    SteadyTime headers_at_;
    bool has_content_ = false;
};

}  // namespace quire::inference
