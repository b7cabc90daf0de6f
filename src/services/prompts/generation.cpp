#include "services/prompts/generation.hpp"

#include "services/prompts/admission.hpp"
#include "services/prompts/answer_record.hpp"
#include "services/prompts/meter.hpp"
#include "services/prompts/reviewed_output.hpp"
#include "services/prompts/story.hpp"

#include <fmt/format.h>

namespace quire::prompts {
namespace {

using common::v1::ChatEvent;
using std::chrono::duration_cast;
using std::chrono::microseconds;

/// Where the answer leaves for the caller: adds the steps taken here to the first event, notes what
/// passes for the request log, and records the answer when it may be asked for again.
class Delivery final : public rpc::Sink<ChatEvent> {
public:
    Delivery(rpc::Sink<ChatEvent>& sink, Story& story, Timestamp created_at,
             const v1::ChatCall& call, bool is_recorded)
        : sink_(sink), story_(story), created_at_(created_at), call_(call) {
        if (is_recorded) record_.emplace();
        // The edge tells its own step, auth, by itself.
        for (const auto& step : call.steps()) {
            if (step.name() != "auth") *steps_.Add() = step;
        }
    }
    void add_step(std::string_view name, SteadyTime origin, SteadyTime from, SteadyTime to) {
        auto& step = *steps_.Add();
        step.set_name(std::string(name));
        step.set_start_us(duration_cast<microseconds>(from - origin).count());
        step.set_duration_us(duration_cast<microseconds>(to - from).count());
    }
    const std::optional<AnswerRecord>& record() const { return record_; }

    awaitable<Result<void>> write(const ChatEvent& event) override {
        story_.note(event);
        if (event.has_started()) return write_started(event);
        if (record_) record_->add(event);
        return sink_.write(event);
    }
    awaitable<Result<void>> finish(ChatEvent event) { co_return co_await sink_.write(event); }

private:
    awaitable<Result<void>> write_started(const ChatEvent& event) {
        ChatEvent started = event;
        started.mutable_started()->set_created_at_us(created_at_.micros);
        started.mutable_started()->set_prompt(call_.prompt());
        started.mutable_started()->set_prompt_version(call_.prompt_version());
        started.mutable_started()->mutable_steps()->MergeFrom(steps_);
        if (record_) record_->add(started);
        co_return co_await sink_.write(started);
    }

    rpc::Sink<ChatEvent>& sink_;
    Story& story_;
    Timestamp created_at_;
    const v1::ChatCall& call_;
    std::optional<AnswerRecord> record_;
    google::protobuf::RepeatedPtrField<common::v1::Step> steps_;
};

class Generation {
public:
    Generation(const GenerationDeps& deps, const rpc::CallContext& ctx, const v1::ChatCall& call,
               rpc::Sink<ChatEvent>& sink)
        : deps_(deps),
          ctx_(ctx),
          call_(call),
          sink_(sink),
          story_(ctx, call, deps.content, deps.clock),
          delivery_(sink, story_, deps.clock.now(), call, !ctx.idempotency_key.empty()),
          reviewed_(delivery_, review_notes_),
          meter_(ctx, call, deps.journal, deps.clock, reviewed_),
          began_(deps.clock.steady()) {}

    awaitable<Result<void>> run();
    /// What happened, for the request log. Called once `run` has ended.
    void tell(const Result<void>& done) {
        deps_.journal.tell(story_.end(done, review_notes_), ctx_.trace.traceparent());
    }

private:
    awaitable<Result<credits::v1::AdmitResponse>> admit();
    awaitable<Result<void>> answer_again(const std::string& request_id);
    awaitable<Result<void>> review_input(common::v1::ChatRequest& request);
    awaitable<Result<void>> finish_review();
    awaitable<Result<void>> conclude(Hold& hold, Result<void> generated);
    awaitable<Result<void>> conclude_broken(Hold& hold, Error error);
    awaitable<Result<void>> conclude_whole(Hold& hold, std::string_view status,
                                           std::string finish_reason);
    awaitable<Result<common::v1::Cost>> settle(Hold& hold, const common::v1::Finished& finished,
                                               std::string_view status);

    const GenerationDeps& deps_;
    const rpc::CallContext& ctx_;
    const v1::ChatCall& call_;
    rpc::Sink<ChatEvent>& sink_;
    Story story_;
    // The answer's way: upstream -> meter -> review -> delivery -> caller.
    Delivery delivery_;
    ReviewNotes review_notes_;
    ReviewedOutput reviewed_;
    Meter meter_;
    SteadyTime began_;
};

awaitable<Result<void>> Generation::run() {
    QUIRE_CO_TRY(const auto admitted, admit());
    if (admitted.outcome() == credits::v1::AdmitResponse::COMPLETED) {
        co_return co_await answer_again(admitted.first_request_id());
    }
    if (admitted.outcome() == credits::v1::AdmitResponse::EXISTS) {
        co_return runs_already(ctx_.request_id);  // in another process
    }
    const auto executor = co_await asio::this_coro::executor;
    Hold hold(deps_.settlements, executor, ctx_.request_id);
    inference::v1::GenerateRequest request;
    Result<void> done = co_await review_input(*request.mutable_request());
    limit_output(*request.mutable_request(), admitted.output_tokens_granted());
    meter_.limit_output(admitted.output_tokens_granted());
    if (done) {
        story_.begin_upstream(request.request());
        done = co_await deps_.inference->generate(ctx_, request, meter_);
        if (meter_.is_too_long()) done = Result<void>();
        if (meter_.unanswered()) story_.note_unanswered(*meter_.unanswered());
    }
    if (done) done = co_await finish_review();
    co_return co_await conclude(hold, std::move(done));
}

awaitable<Result<credits::v1::AdmitResponse>> Generation::admit() {
    const auto request = admission_of(ctx_, call_, deps_.owner, began_);
    auto admitted = co_await deps_.credits->admit(ctx_, request);
    delivery_.add_step("admit", began_, began_, deps_.clock.steady());
    story_.add_step("admit", began_);
    // Cancelled or late on the way, the hold may have been made all the same.
    const ErrorCode code = admitted ? ErrorCode::kNotFound : admitted.error().code();
    if (code == ErrorCode::kCancelled || code == ErrorCode::kDeadlineExceeded) {
        const auto executor = co_await asio::this_coro::executor;
        deps_.settlements.release_soon(executor, ctx_.request_id);
    }
    co_return admitted;
}

/// The first request with this idempotency key is over: its answer again, or why there is none.
awaitable<Result<void>> Generation::answer_again(const std::string& request_id) {
    // Asked before the look-up: an answer that is stored between the two is found.
    const bool is_storing = deps_.settlements.is_storing(request_id);
    QUIRE_CO_TRY(const auto answer, deps_.journal.find_answer(ctx_, request_id));
    if (!answer && is_storing) {
        co_return Error(ErrorCode::kIdempotencyInProgress,
                        fmt::format("the answer of the first request with this Idempotency-Key, "
                                    "{}, is paid for and waits to be stored",
                                    request_id))
            .with_retry_after(std::chrono::seconds(1));
    }
    if (!answer) {
        co_return Error(ErrorCode::kAlreadyCompleted,
                        fmt::format("the first request with this Idempotency-Key, {}, ended "
                                    "without a whole answer; take a new key",
                                    request_id))
            .with_detail("first_request", request_id);
    }
    co_return co_await replay(*answer, request_id, sink_);
}

/// Leaves in `request` what may be sent upstream.
awaitable<Result<void>> Generation::review_input(common::v1::ChatRequest& request) {
    const SteadyTime from = deps_.clock.steady();
    review::v1::ReviewInputRequest input;
    *input.mutable_request() = call_.request();
    auto reviewed = co_await deps_.review->review_input(ctx_, input);
    delivery_.add_step("review.input", began_, from, deps_.clock.steady());
    story_.add_step("review.input", from);
    if (!reviewed) {
        note_block(reviewed.error(), review_notes_);
        co_return reviewed.error();
    }
    note_decisions(reviewed->decisions(), review_notes_);
    request.Swap(reviewed->has_request() ? reviewed->mutable_request() : input.mutable_request());
    if (!reviewed->has_output_rules()) co_return Result<void>();
    co_return co_await reviewed_.open(*deps_.review, ctx_);
}

/// What the review still held at the end of the upstream.
awaitable<Result<void>> Generation::finish_review() {
    const SteadyTime from = deps_.clock.steady();
    const bool is_open = reviewed_.is_open();
    auto finished = co_await reviewed_.finish();
    if (is_open) story_.add_step("review.output", from);
    co_return finished;
}

awaitable<Result<void>> Generation::conclude(Hold& hold, Result<void> generated) {
    if (reviewed_.is_blocked()) {
        ignore(generated, "it says that the answer was blocked, which ends it like any other");
        // Where it was blocked at its end, that step is there.
        if (reviewed_.is_open()) story_.add_step("review.output", deps_.clock.steady());
        story_.set_blocked();
        co_return co_await conclude_whole(hold, "blocked", "content_filter");
    }
    if (!generated) co_return co_await conclude_broken(hold, generated.error());
    co_return co_await conclude_whole(hold, "completed", meter_.finish_reason());
}

/// What upstream had produced is paid for; nothing produced, nothing charged.
awaitable<Result<void>> Generation::conclude_broken(Hold& hold, Error error) {
    if (!meter_.has_content()) {
        const auto released = co_await hold.release();
        ignore(released, "logged; what stays open expires");
        co_return error;
    }
    common::v1::Finished finished;
    *finished.mutable_usage() = meter_.usage();
    const Error cause = cause_of(error, ctx_, deps_.clock.steady());
    const std::string_view status = cause.code() == ErrorCode::kCancelled ? "cancelled" : "failed";
    const auto settled = co_await settle(hold, finished, status);
    ignore(settled, "logged; it is tried again, and the caller's error is the older one");
    co_return std::move(error).as_paid();
}

/// The end is told once it is paid for.
awaitable<Result<void>> Generation::conclude_whole(Hold& hold, std::string_view status,
                                                   std::string finish_reason) {
    ChatEvent event;
    auto& finished = *event.mutable_finished();
    finished.set_finish_reason(std::move(finish_reason));
    *finished.mutable_usage() = meter_.usage();
    *finished.mutable_review() = review_notes_;
    const auto cost = co_await settle(hold, finished, status);
    if (!cost) co_return Error(cost.error()).as_paid();  // now or later
    *finished.mutable_cost() = *cost;
    const auto told = co_await delivery_.finish(std::move(event));
    if (!told) co_return Error(told.error()).as_paid();
    co_return Result<void>();
}

awaitable<Result<common::v1::Cost>> Generation::settle(Hold& hold,
                                                       const common::v1::Finished& finished,
                                                       std::string_view status) {
    const SteadyTime from = deps_.clock.steady();
    Settlement settlement;
    settlement.request = meter_.settlement(finished.usage(), status, finished.finish_reason());
    settlement.otherwise = meter_.estimated_usage();
    settlement.trace = ctx_.trace;
    settlement.whose = ctx_.principal;
    const bool is_whole = !finished.finish_reason().empty();
    if (delivery_.record() && is_whole) settlement.answer = delivery_.record()->finish(finished);
    if (settlement.answer) {
        const auto kept =
            co_await deps_.journal.put_outcome(ctx_, settlement.request, *settlement.answer);
        if (kept) settlement.answer.reset();
    }
    auto settled = co_await hold.settle(std::move(settlement));
    story_.add_step("settle", from);
    co_return settled;
}

}  // namespace

Error runs_already(const std::string& request_id) {
    return {ErrorCode::kAlreadyExists,
            fmt::format("a request with the id {} runs already", request_id)};
}

awaitable<Result<void>> run_generation(const GenerationDeps& deps, const rpc::CallContext& ctx,
                                       const v1::ChatCall& call, rpc::Sink<ChatEvent>& sink) {
    Generation generation(deps, ctx, call, sink);
    auto done = co_await generation.run();
    generation.tell(done);
    co_return done;
}

void tell_refusal(const GenerationDeps& deps, const rpc::CallContext& ctx, const v1::ChatCall& call,
                  const Error& error) {
    Story story(ctx, call, deps.content, deps.clock);
    deps.journal.tell(story.end(error, ReviewNotes()), ctx.trace.traceparent());
}

}  // namespace quire::prompts
