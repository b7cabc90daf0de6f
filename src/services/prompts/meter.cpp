#include "services/prompts/meter.hpp"

#include <algorithm>
#include <utility>

namespace quire::prompts {
namespace {

constexpr std::chrono::seconds kNoteEvery{2};
constexpr std::int64_t kNoteTokens = 256;
constexpr std::int64_t kLimitSlack = 32;

/// A part is no greater than its whole.
bool makes_sense(const common::v1::Usage& usage) {
    return usage.cached_tokens() >= 0 && usage.cached_tokens() <= usage.input_tokens() &&
           usage.reasoning_tokens() >= 0 && usage.reasoning_tokens() <= usage.output_tokens();
}

}  // namespace

Meter::Meter(const rpc::CallContext& ctx, const v1::ChatCall& call, Journal& journal,
             const Clock& clock, rpc::Sink<common::v1::ChatEvent>& next)
    : ctx_(ctx),
      call_(call),
      journal_(journal),
      clock_(clock),
      next_(next),
      estimate_(call.request()),
      noted_at_(clock.steady()) {}

awaitable<Result<void>> Meter::write(const common::v1::ChatEvent& event) {
    if (event.has_finished()) return keep_end(event);
    if (event.has_unanswered()) return keep_unanswered(event);
    if (!std::exchange(has_content_, true)) noted_at_ = clock_.steady();
    if (event.has_started()) provider_ = event.started().provider();
    if (event.has_delta()) {
        estimate_.add(event.delta());
        if (estimate_.least_output_tokens() / 2 - kLimitSlack > output_limit_) {
            return leave_provider();
        }
        note_progress();
    }
    return next_.write(event);
}

awaitable<Result<void>> Meter::keep_end(const common::v1::ChatEvent& event) {
    finished_ = event.finished();
    co_return Result<void>();
}

awaitable<Result<void>> Meter::keep_unanswered(const common::v1::ChatEvent& event) {
    unanswered_ = event.unanswered();
    co_return Result<void>();
}

awaitable<Result<void>> Meter::leave_provider() {
    is_too_long_ = true;
    co_return cancelled_error();
}

std::string Meter::finish_reason() const {
    if (is_too_long_) return "length";
    return finished_ ? finished_->finish_reason() : "";
}

void Meter::note_progress() {
    const SteadyTime now = clock_.steady();
    const std::int64_t tokens = estimate_.output_tokens();
    if (now - noted_at_ < kNoteEvery && tokens - noted_tokens_ < kNoteTokens) return;
    noted_at_ = now;
    noted_tokens_ = tokens;
    journal_.checkpoint(settlement(estimated_usage(), "failed", ""));
}

common::v1::Usage Meter::usage() const {
    const bool is_counted = finished_ && finished_->has_usage() && makes_sense(finished_->usage());
    return is_counted ? finished_->usage() : estimated_usage();
}

common::v1::Usage Meter::estimated_usage() const {
    common::v1::Usage usage = estimate_.usage();
    usage.set_output_tokens(std::min(usage.output_tokens(), output_limit_));
    return usage;
}

credits::v1::SettleRequest Meter::settlement(const common::v1::Usage& usage,
                                             std::string_view status,
                                             std::string_view finish_reason) const {
    credits::v1::SettleRequest settle;
    settle.set_request_id(ctx_.request_id);
    *settle.mutable_usage() = usage;
    auto& outcome = *settle.mutable_outcome();
    outcome.set_status(std::string(status));
    outcome.set_model(call_.request().model());
    outcome.set_provider(provider_);
    outcome.set_prompt(call_.prompt());
    outcome.set_prompt_version(call_.prompt_version());
    outcome.set_variant(ctx_.variant);
    outcome.set_finish_reason(std::string(finish_reason));
    return settle;
}

}  // namespace quire::prompts
