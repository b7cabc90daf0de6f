#include "services/prompts/reviewed_output.hpp"

#include "tests/support/chat_events.hpp"
#include "tests/support/prompts_under_test.hpp"

#include <gtest/gtest.h>

namespace quire::prompts {
namespace {

using common::v1::ChatEvent;
using test::finished_event;
using test::started_event;
using test::text_event;
using Words = std::vector<std::string>;

/// Holds everything back by one piece, blocks at "bad", fails at "broken".
class OneBehind final : public rpc::Session<review::v1::OutputPiece, review::v1::ReleasedOutput> {
public:
    explicit OneBehind(std::string& ending) : ending_(ending) {}

    awaitable<Result<review::v1::ReleasedOutput>> exchange(
        const review::v1::OutputPiece& piece) override {
        const std::string text = piece.deltas(0).text();
        if (text == "broken") co_return Error(ErrorCode::kReviewUnavailable, "broken");
        co_return release(std::exchange(held_, text));
    }
    awaitable<Result<review::v1::ReleasedOutput>> finish() override {
        ending_ += "finished";
        co_return release(std::exchange(held_, ""));
    }
    void cancel() override { ending_ += "cancelled"; }

private:
    static review::v1::ReleasedOutput release(const std::string& text) {
        review::v1::ReleasedOutput out;
        if (text == "bad") {
            out.set_is_blocked(true);
        } else if (!text.empty()) {
            out.add_deltas()->set_text(text);
        }
        return out;
    }

    std::string held_;
    std::string& ending_;
};

TEST(ReviewNotes, HaveTheRuleThatBlockedTheInputAndNoneForOtherErrors) {
    ReviewNotes notes;

    note_block(Error(ErrorCode::kReviewUnavailable, "away"), notes);
    EXPECT_EQ(notes.size(), 0);
    note_block(Error(ErrorCode::kContentPolicyViolation, "no")
                   .with_detail("rule", "keys")
                   .with_detail("kind", "literal"),
               notes);

    ASSERT_EQ(notes.size(), 1);
    EXPECT_EQ(notes[0].rule(), "keys");
    EXPECT_EQ(notes[0].kind(), "literal");
    EXPECT_EQ(notes[0].stage(), "input");
    EXPECT_EQ(notes[0].action(), "block");
    EXPECT_EQ(notes[0].count(), 1);
}

class ReviewOnThePathTest : public testing::Test {
protected:
    ReviewOnThePathTest() {
        under_.review->on_review_input = [this](const auto&, const auto&) { return input(); };
        under_.review->on_review_output = [this](const auto&) { return open(); };
        under_.inference->on_generate =
            [this](const rpc::CallContext&, const inference::v1::GenerateRequest& request,
                   rpc::Sink<ChatEvent>& sink) { return play(request, sink); };
        call_.mutable_request()->set_model("writer");
        call_.mutable_request()->add_messages()->add_parts()->set_text("12345678");
        ctx_.request_id = "req_01ARZ3NDEKTSV4RRFFQ69G5FAV";
        input_.set_has_output_rules(true);
    }
    awaitable<Result<review::v1::ReviewInputResponse>> input() {
        if (input_refusal_) co_return *input_refusal_;
        co_return input_;
    }
    awaitable<
        Result<std::unique_ptr<rpc::Session<review::v1::OutputPiece, review::v1::ReleasedOutput>>>>
    open() {
        std::unique_ptr<rpc::Session<review::v1::OutputPiece, review::v1::ReleasedOutput>> session =
            std::make_unique<OneBehind>(ending_);
        co_return session;
    }
    awaitable<Result<void>> play(const inference::v1::GenerateRequest& request,
                                 rpc::Sink<ChatEvent>& sink) {
        asked_ = request.request().messages(0).parts(0).text();
        for (const ChatEvent& event : events_) {
            const auto written = co_await sink.write(event);
            if (!written) co_return written.error();
        }
        if (end_) co_return *end_;
        co_return Result<void>();
    }
    Result<void> chat() { return test::run(under_.service.chat(ctx_, call_, seen_)); }
    std::string status() const {
        if (!under_.voided.empty()) return "void";
        return under_.settled.empty() ? "" : under_.settled.back().outcome().status();
    }

    test::PromptsUnderTest under_;
    review::v1::ReviewInputResponse input_;
    std::optional<Error> input_refusal_;
    std::string ending_;
    std::string asked_;
    std::vector<ChatEvent> events_;
    std::optional<Error> end_;
    v1::ChatCall call_;
    rpc::CallContext ctx_;
    test::ChatEvents seen_;
};

TEST_F(ReviewOnThePathTest, WhatIsHeldComesBeforeTheEnd) {
    events_ = {started_event(), text_event("a"), text_event("b"), finished_event()};

    ASSERT_TRUE(chat());

    EXPECT_EQ(seen_.words, (Words{"started", "a", "b", "finished:stop"}));
    EXPECT_EQ(ending_, "finished");
    EXPECT_EQ(status(), "completed");
}

TEST_F(ReviewOnThePathTest, ABlockEndsTheCallUpstreamAndIsPaidFor) {
    events_ = {started_event(), text_event("a"), text_event("bad"),
               text_event("c"), text_event("d"), finished_event()};

    ASSERT_TRUE(chat());

    EXPECT_EQ(seen_.words, (Words{"started", "a", "finished:content_filter"}));
    EXPECT_EQ(status(), "blocked");
    EXPECT_EQ(under_.settled.back().usage().output_tokens(), 3);
    EXPECT_TRUE(under_.settled.back().usage().estimated());
    EXPECT_EQ(ending_, "cancelled");
}

TEST_F(ReviewOnThePathTest, ABlockInWhatWasHeldIsFoundAtTheEnd) {
    events_ = {started_event(), text_event("a"), text_event("bad"), finished_event()};

    ASSERT_TRUE(chat());

    EXPECT_EQ(seen_.words, (Words{"started", "a", "finished:content_filter"}));
    EXPECT_EQ(status(), "blocked");
}

TEST_F(ReviewOnThePathTest, WhatCannotBeReviewedIsNotDelivered) {
    events_ = {started_event(), text_event("a"), text_event("broken"), finished_event()};

    const auto ended = chat();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kReviewUnavailable);
    EXPECT_EQ(seen_.words, Words{"started"});
    EXPECT_EQ(status(), "failed");
}

TEST_F(ReviewOnThePathTest, WhatIsHeldWhenTheUpstreamBreaksIsDropped) {
    events_ = {started_event(), text_event("a"), text_event("b")};
    end_ = Error(ErrorCode::kStreamInterrupted, "cut");

    EXPECT_FALSE(chat());

    EXPECT_EQ(seen_.words, (Words{"started", "a"}));
    EXPECT_EQ(ending_, "cancelled");
    EXPECT_EQ(status(), "failed");
}

TEST_F(ReviewOnThePathTest, ABlockedInputIsNeverSent) {
    input_refusal_ = Error(ErrorCode::kContentPolicyViolation, "blocked");

    const auto ended = chat();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kContentPolicyViolation);
    EXPECT_EQ(under_.inference->generate_calls, 0);
    EXPECT_EQ(status(), "void");
}

TEST_F(ReviewOnThePathTest, ARedactedInputIsWhatIsSent) {
    *input_.mutable_request() = call_.request();
    input_.mutable_request()->mutable_messages(0)->mutable_parts(0)->set_text("[redacted]");
    events_ = {started_event(), finished_event()};

    ASSERT_TRUE(chat());

    EXPECT_EQ(asked_, "[redacted]");
}

TEST_F(ReviewOnThePathTest, WithoutRulesNoSessionIsOpened) {
    input_.set_has_output_rules(false);
    events_ = {started_event(), text_event("a"), finished_event()};

    ASSERT_TRUE(chat());

    EXPECT_EQ(under_.review->review_output_calls, 0);
    EXPECT_EQ(seen_.words, (Words{"started", "a", "finished:stop"}));
}

}  // namespace
}  // namespace quire::prompts
