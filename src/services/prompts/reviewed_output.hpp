#pragma once

#include "quire/review/v1/review_port.hpp"
#include "runtime/rpc/stream.hpp"

#include <memory>

namespace quire::prompts {

using ReviewNotes = google::protobuf::RepeatedPtrField<common::v1::ReviewNote>;

/// Adds what was decided; a rule that acts again has its count raised.
void note_decisions(const google::protobuf::RepeatedPtrField<review::v1::Decision>& decisions,
                    ReviewNotes& notes);

/// Adds the rule that blocked the input, which only the error of the review tells; any other error
/// is none of a rule.
void note_block(const Error& error, ReviewNotes& notes);

/// Between the upstream and the caller: passes on what review has released. Until `open` there is
/// no review, and everything passes. What was decided goes to `notes`.
class ReviewedOutput final : public rpc::Sink<common::v1::ChatEvent> {
public:
    ReviewedOutput(rpc::Sink<common::v1::ChatEvent>& next, ReviewNotes& notes)
        : next_(next), notes_(notes) {}
    ~ReviewedOutput() override {
        if (session_) session_->cancel();
    }
    ReviewedOutput(const ReviewedOutput&) = delete;
    ReviewedOutput& operator=(const ReviewedOutput&) = delete;

    /// kReviewUnavailable: fails closed.
    awaitable<Result<void>> open(review::Review& review, const rpc::CallContext& ctx);
    /// kContentPolicyViolation once a block was found, which ends the producer; kReviewUnavailable.
    awaitable<Result<void>> write(const common::v1::ChatEvent& event) override;
    /// At the end of the upstream: passes on what was still held. Errors as `write`.
    awaitable<Result<void>> finish();

    bool is_open() const { return session_ != nullptr; }
    bool is_blocked() const { return is_blocked_; }

private:
    awaitable<Result<void>> review(const common::v1::ChatEvent& event);
    awaitable<Result<void>> pass_on(const review::v1::ReleasedOutput& released);

    rpc::Sink<common::v1::ChatEvent>& next_;
    ReviewNotes& notes_;
    std::unique_ptr<rpc::Session<review::v1::OutputPiece, review::v1::ReleasedOutput>> session_;
    review::v1::OutputPiece piece_;  ///< reused for every delta
    common::v1::ChatEvent event_;
    bool is_blocked_ = false;
};

}  // namespace quire::prompts
