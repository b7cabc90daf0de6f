#include "services/inference/generation.hpp"

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quire::inference {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{100};
constexpr int kPauseDoublingsMax = 6;

void count_attempt(const ServedModel& model, std::string_view outcome) {
    static auto& family = runtime::counter_family("quire_upstream_attempts_total",
                                                  "Calls to providers by how they ended.");
    // Outcomes are names of the catalogue, so their addresses tell them apart.
    thread_local std::map<std::pair<const ServedModel*, const char*>, prometheus::Counter*> known;
    prometheus::Counter*& counter = known[{&model, outcome.data()}];
    if (counter == nullptr) {
        counter = &family.Add({{"provider", model.config.provider},
                               {"model", model.name},
                               {"outcome", std::string(outcome)}});
    }
    counter->Increment();
}

}  // namespace

Generation::Generation(const ServedModel& model, const InferenceConfig& config, const Clock& clock,
                       Rng& rng, rpc::Sink<common::v1::ChatEvent>& sink)
    : model_(model),
      config_(config),
      clock_(clock),
      rng_(rng),
      sink_(sink),
      origin_(clock.steady()),
      attempt_began_(origin_),
      headers_at_(origin_) {
    started_.set_model(model.name);
    started_.set_provider(model.config.provider);
}

void Generation::note_queued(SteadyTime began) {
    origin_ = began;
    add_step("queue", began, clock_.steady());
}

awaitable<Result<void>> Generation::run(const rpc::CallContext& ctx,
                                        const common::v1::ChatRequest& chat) {
    for (int failures = 0;; ++failures) {
        const auto completion = co_await attempt(ctx, chat);
        const SteadyTime ended = clock_.steady();
        if (completion) co_return co_await send_finished(*completion);
        const Error& error = completion.error();
        const bool may_retry = error.code() == ErrorCode::kUpstreamError && !has_content_ &&
                               ctx.retries != nullptr && ctx.retries->take();
        if (!may_retry) {
            if (!has_content_) co_await tell_attempt(ended);
            co_return as_seen_by_caller(error);
        }
        const auto paused = co_await pause_before_retry(failures);
        if (!paused) {
            co_await tell_attempt(ended);
            co_return paused.error();
        }
    }
}

/// The last one, of which nothing came.
awaitable<void> Generation::tell_attempt(SteadyTime ended) {
    const bool has_headers = headers_at_ > attempt_began_;
    add_step("upstream", attempt_began_, has_headers ? headers_at_ : ended);
    if (has_headers) add_step("first_token", attempt_began_, ended);
    co_await tell_unanswered();
}

awaitable<void> Generation::tell_unanswered() {
    common::v1::ChatEvent event;
    auto& unanswered = *event.mutable_unanswered();
    unanswered.set_provider(started_.provider());
    *unanswered.mutable_steps() = started_.steps();
    const auto written = co_await sink_.write(event);
    ignore(written, "the error that follows says how it ended");
}

awaitable<Result<providers::Completion>> Generation::attempt(const rpc::CallContext& ctx,
                                                             const common::v1::ChatRequest& chat) {
    attempt_began_ = clock_.steady();
    providers::ProviderRequest request{
        chat,
        model_.config.upstream_model,
        model_.config.max_tokens_field,
        model_.config.max_output_tokens,
        {config_.connect, config_.first_token, config_.between_tokens}};
    auto completion = co_await model_.provider->generate(ctx, request, *this);
    count_attempt(model_, completion ? "ok" : completion.error().name());
    // What the provider says of the client's own fields may quote them and is not logged.
    if (!completion && completion.error().row().http_status >= 500) {
        QUIRE_LOG(warn, "upstream attempt failed", {"request_id", ctx.request_id},
                  {"model", model_.name}, {"code", completion.error().name()},
                  {"why", completion.error().message()});
    }
    co_return completion;
}

awaitable<Result<void>> Generation::pause_before_retry(int failures) {
    const auto longest = kFirstPause * (1 << std::min(failures, kPauseDoublingsMax));
    const double share = 0.5 + rng_.next_unit() / 2;
    const auto pause = std::chrono::duration_cast<std::chrono::microseconds>(longest * share);
    auto slept = co_await runtime::sleep_for(pause);
    co_return slept;
}

void Generation::on_headers() { headers_at_ = clock_.steady(); }

awaitable<Result<void>> Generation::write(const common::v1::Delta& delta) {
    *event_.mutable_delta() = delta;
    if (!has_content_) return send_first();
    return sink_.write(event_);
}

awaitable<Result<void>> Generation::send_first() {
    const auto sent = co_await send_started();
    if (!sent) co_return sent.error();
    auto written = co_await sink_.write(event_);
    co_return written;
}

awaitable<Result<void>> Generation::send_started() {
    has_content_ = true;
    const SteadyTime now = clock_.steady();
    add_step("upstream", attempt_began_, headers_at_);
    add_step("first_token", attempt_began_, now);
    common::v1::ChatEvent event;
    *event.mutable_started() = std::move(started_);
    auto written = co_await sink_.write(event);
    co_return written;
}

awaitable<Result<void>> Generation::send_finished(const providers::Completion& completion) {
    if (!has_content_) {
        const auto sent = co_await send_started();
        if (!sent) co_return sent.error();
    }
    common::v1::ChatEvent event;
    auto& finished = *event.mutable_finished();
    finished.set_finish_reason(completion.finish_reason);
    if (completion.usage) *finished.mutable_usage() = *completion.usage;
    auto written = co_await sink_.write(event);
    co_return written;
}

void Generation::add_step(std::string_view name, SteadyTime from, SteadyTime to) {
    using std::chrono::duration_cast;
    using std::chrono::microseconds;
    auto& step = *started_.add_steps();
    step.set_name(std::string(name));
    step.set_start_us(duration_cast<microseconds>(from - origin_).count());
    step.set_duration_us(duration_cast<microseconds>(to - from).count());
}

/// Names neither the provider's host nor its words; what came before the error stays valid.
Error Generation::as_seen_by_caller(Error error) const {
    const bool is_upstreams = error.code() == ErrorCode::kUpstreamError ||
                              error.code() == ErrorCode::kUpstreamTimeout ||
                              error.code() == ErrorCode::kOverloaded;
    if (has_content_ && is_upstreams) {
        return {ErrorCode::kStreamInterrupted,
                "the model's provider failed in the middle of the answer; what came is incomplete"};
    }
    if (error.code() == ErrorCode::kUpstreamError) {
        return {ErrorCode::kUpstreamError,
                fmt::format("the provider of model '{}' failed or answered nonsense; retry later",
                            model_.name)};
    }
    if (error.code() == ErrorCode::kUpstreamTimeout) {
        return {ErrorCode::kUpstreamTimeout,
                fmt::format("the provider of model '{}' did not answer in time", model_.name)};
    }
    return error;
}

}  // namespace quire::inference
