#include "services/prompts/reviewed_output.hpp"

#include <algorithm>

namespace quire::prompts {
namespace {

Error blocked() {
    return {ErrorCode::kContentPolicyViolation, "the answer was cut by a rule of the review"};
}

}  // namespace

void note_decisions(const google::protobuf::RepeatedPtrField<review::v1::Decision>& decisions,
                    ReviewNotes& notes) {
    for (const review::v1::Decision& decision : decisions) {
        const auto known = std::find_if(notes.begin(), notes.end(), [&](const auto& note) {
            return note.stage() == decision.stage() && note.rule() == decision.rule() &&
                   note.action() == decision.action();
        });
        if (known != notes.end()) {
            known->set_count(known->count() + decision.count());
            continue;
        }
        common::v1::ReviewNote& note = *notes.Add();
        note.set_stage(decision.stage());
        note.set_rule(decision.rule());
        note.set_kind(decision.kind());
        note.set_action(decision.action());
        note.set_count(decision.count());
    }
}

void note_block(const Error& error, ReviewNotes& notes) {
    if (error.code() != ErrorCode::kContentPolicyViolation) return;
    common::v1::ReviewNote& note = *notes.Add();
    note.set_stage("input");
    note.set_rule(std::string(error.detail("rule")));
    note.set_kind(std::string(error.detail("kind")));
    note.set_action("block");
    note.set_count(1);
}

awaitable<Result<void>> ReviewedOutput::open(review::Review& review, const rpc::CallContext& ctx) {
    auto opened = co_await review.review_output(ctx);
    if (!opened) co_return opened.error();
    session_ = *std::move(opened);
    piece_.add_deltas();
    co_return Result<void>();
}

awaitable<Result<void>> ReviewedOutput::write(const common::v1::ChatEvent& event) {
    if (!session_ || !event.has_delta()) return next_.write(event);
    return review(event);
}

awaitable<Result<void>> ReviewedOutput::review(const common::v1::ChatEvent& event) {
    *piece_.mutable_deltas(0) = event.delta();
    QUIRE_CO_TRY(const auto released, session_->exchange(piece_));
    co_return co_await pass_on(released);
}

awaitable<Result<void>> ReviewedOutput::finish() {
    if (!session_) co_return Result<void>();
    const auto session = std::move(session_);
    QUIRE_CO_TRY(const auto released, session->finish());
    co_return co_await pass_on(released);
}

awaitable<Result<void>> ReviewedOutput::pass_on(const review::v1::ReleasedOutput& released) {
    note_decisions(released.decisions(), notes_);
    for (const common::v1::Delta& delta : released.deltas()) {
        *event_.mutable_delta() = delta;
        const auto written = co_await next_.write(event_);
        if (!written) co_return written.error();
    }
    is_blocked_ = released.is_blocked();
    if (is_blocked_) co_return blocked();
    co_return Result<void>();
}

}  // namespace quire::prompts
