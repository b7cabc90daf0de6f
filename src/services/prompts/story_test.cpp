#include "services/prompts/story.hpp"

#include "tests/support/chat_events.hpp"
#include "tests/support/prompts_under_test.hpp"

#include <gtest/gtest.h>

namespace quire::prompts {
namespace {

using namespace std::chrono_literals;

class StoryTest : public testing::Test {
protected:
    StoryTest() {
        ctx_.request_id = "req_01ARZ3NDEKTSV4RRFFQ69G5FAV";
        ctx_.principal.project_id = "prj_1";
        call_.mutable_request()->set_model("writer");
        auto& message = *call_.mutable_request()->add_messages();
        message.set_role("user");
        message.add_parts()->set_text("hello");
        auto& auth = *call_.add_steps();
        auth.set_name("auth");
        auth.set_duration_us(40);
    }
    Story begin() { return Story(ctx_, call_, content_, clock_); }
    void play(Story& story, const std::string& text) {
        story.note(test::started_event());
        story.note(test::text_event(text));
    }
    /// What is told of an end with this error: status, HTTP status and code.
    std::string told_of(ErrorCode code, bool is_answered) {
        Story story = begin();
        if (is_answered) play(story, "a");
        const Result<void> done = Error(code, "why");
        const auto told = story.end(done, {});
        return fmt::format("{} {} {}", told.status(), told.http_status(), told.error_code());
    }

    ManualClock clock_;
    ContentConfig content_;
    rpc::CallContext ctx_;
    v1::ChatCall call_;
};

TEST_F(StoryTest, TellsHowARequestEnded) {
    EXPECT_EQ(told_of(ErrorCode::kModelNotFound, false), "failed 404 model_not_found");
    EXPECT_EQ(told_of(ErrorCode::kContentPolicyViolation, false),
              "blocked 400 content_policy_violation");
    EXPECT_EQ(told_of(ErrorCode::kCancelled, true), "cancelled 499 client_closed_request");
    EXPECT_EQ(told_of(ErrorCode::kStreamInterrupted, true), "failed 502 upstream_error");
    EXPECT_EQ(told_of(ErrorCode::kSettleFailed, true), "failed 503 storage_unavailable");
}

TEST_F(StoryTest, AStreamThatBrokeOffHadItsStatusAlready) {
    call_.set_streamed(true);

    EXPECT_EQ(told_of(ErrorCode::kStreamInterrupted, true), "failed 200 stream_interrupted");
    EXPECT_EQ(told_of(ErrorCode::kUpstreamError, false), "failed 502 upstream_error");
}

TEST_F(StoryTest, ACancellationAfterTheDeadlineIsTheDeadlines) {
    ctx_.deadline = clock_.steady() + 1s;
    Story story = begin();
    clock_.advance(2s);
    const Result<void> done = cancelled_error();

    const auto told = story.end(done, {});

    EXPECT_EQ(told.status(), "failed");
    EXPECT_EQ(told.http_status(), 504);
    EXPECT_EQ(told.error_code(), "deadline_exceeded");
}

TEST_F(StoryTest, KeepsTextsOnlyWhereTheProjectAllowsIt) {
    const auto texts = [&]() -> std::string {
        Story story = begin();
        story.begin_upstream(call_.request());
        play(story, "world");
        const auto told = story.end({}, {});
        if (!told.has_content()) return "none";
        return told.content().input() + " | " + told.content().output();
    };
    EXPECT_EQ(texts(), "none");
    content_.projects = {{"prj_1", true}, {"prj_2", false}};
    EXPECT_EQ(texts(), "user: hello | world");
    content_.store = true;
    ctx_.principal.project_id = "prj_2";
    EXPECT_EQ(texts(), "none");
    ctx_.principal.project_id = "prj_3";
    EXPECT_EQ(texts(), "user: hello | world");
}

TEST_F(StoryTest, CutsLongTextsBetweenCharacters) {
    content_.store = true;
    Story story = begin();
    const std::string euros = [] {
        std::string text = "a";
        while (text.size() <= Story::kTextBytesMax) text += "€";
        return text;
    }();
    play(story, euros);
    story.note(test::text_event(euros));

    const auto told = story.end({}, {});

    EXPECT_LE(told.content().output().size(), Story::kTextBytesMax);
    EXPECT_GT(told.content().output().size(), Story::kTextBytesMax - 3);
    EXPECT_TRUE(runtime::is_valid_utf8(told.content().output()));
}

TEST_F(StoryTest, ItsMessageIsUtf8WhateverTheErrorsIs) {
    for (const std::string& message :
         {std::string("half a character: \xc3"), std::string(3000, '\xff')}) {
        Story story = begin();
        const Result<void> done = Error(ErrorCode::kUpstreamError, message);

        const auto told = story.end(done, {});

        EXPECT_TRUE(runtime::is_valid_utf8(told.error_message()));
        EXPECT_NE(told.error_message(), "");
    }
}

TEST_F(StoryTest, CountsStepsFromTheStartAtTheEdge) {
    Story story = begin();
    const SteadyTime from = clock_.steady();
    clock_.advance(100us);
    story.add_step("admit", from);
    story.begin_upstream(call_.request());
    auto started = test::started_event();
    started.mutable_started()->clear_steps();
    auto& upstream = *started.mutable_started()->add_steps();
    upstream.set_name("upstream");
    upstream.set_start_us(5);
    upstream.set_duration_us(7);
    story.note(started);

    const auto told = story.end({}, {});

    std::vector<std::string> steps;
    for (const auto& step : told.steps()) {
        steps.push_back(fmt::format("{} {}+{}", step.name(), step.start_us(), step.duration_us()));
    }
    EXPECT_EQ(steps, (std::vector<std::string>{"auth 0+40", "admit 40+100", "upstream 145+7"}));
}

TEST_F(StoryTest, TellsWhatWasWaitedForWhereNothingCame) {
    Story story = begin();
    clock_.advance(100us);
    story.begin_upstream(call_.request());
    common::v1::Unanswered unanswered;
    unanswered.set_provider("local");
    auto& queue = *unanswered.add_steps();
    queue.set_name("queue");
    queue.set_start_us(0);
    queue.set_duration_us(7);
    story.note_unanswered(unanswered);

    const auto told = story.end(Error(ErrorCode::kQueueTimeout, "too long"), {});

    EXPECT_EQ(told.provider(), "local");
    ASSERT_EQ(told.steps_size(), 2);
    EXPECT_EQ(told.steps(1).name(), "queue");
    EXPECT_EQ(told.steps(1).start_us(), 140);
}

TEST_F(StoryTest, StepsThatCannotBeCountForNothing) {
    v1::ChatCall call;
    for (const auto& [start, duration] : std::vector<std::pair<std::int64_t, std::int64_t>>{
             {INT64_MAX, INT64_MAX}, {INT64_MIN, 1}, {1, INT64_MIN}, {0, INT64_MAX}, {20, 30}}) {
        auto& step = *call.add_steps();
        step.set_start_us(start);
        step.set_duration_us(duration);
    }

    EXPECT_EQ(edge_took(call), 50us);
}

/// The whole way from a request to the events in the outbox.
class StoriesTest : public testing::Test {
protected:
    StoriesTest() {
        under_.inference->on_generate =
            [this](const rpc::CallContext&, const inference::v1::GenerateRequest&,
                   rpc::Sink<common::v1::ChatEvent>& sink) { return generate(sink); };
        call_.mutable_request()->set_model("writer");
    }
    awaitable<Result<void>> generate(rpc::Sink<common::v1::ChatEvent>& sink) {
        if (refusal_) co_return *refusal_;
        const auto started = co_await sink.write(test::started_event());
        if (!started) co_return started.error();
        auto finished = co_await sink.write(test::finished_event());
        co_return finished;
    }
    void chat(const std::string& id) {
        rpc::CallContext ctx;
        ctx.request_id = id;
        test::ChatEvents events;
        const auto done = test::run(under_.service.chat(ctx, call_, events));
        ignore(done, "the story tells it");
    }
    std::vector<std::string> events() {
        under_.journal.stop();
        const auto page = test::run(under_.service.read_outbox({}, {}));
        EXPECT_TRUE(page);
        std::vector<std::string> found;
        for (const auto& event : page->events()) {
            found.push_back(fmt::format("{} {} {} {}", event.sequence(), event.id(), event.type(),
                                        event.subject()));
        }
        return found;
    }

    test::PromptsUnderTest under_;
    v1::ChatCall call_;
    std::optional<Error> refusal_;
};

TEST_F(StoriesTest, EachRequestIsToldOnce) {
    chat("req_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    refusal_ = Error(ErrorCode::kUpstreamError, "broken");
    chat("req_01ARZ3NDEKTSV4RRFFQ69G5FAW");
    under_.admit_refusal = Error(ErrorCode::kInsufficientQuota, "poor");
    chat("req_01ARZ3NDEKTSV4RRFFQ69G5FAX");

    EXPECT_EQ(events(),
              (std::vector<std::string>{
                  "1 evt_01ARZ3NDEKTSV4RRFFQ69G5FAV quire.prompts.generation_completed.v1 "
                  "req_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                  "2 evt_01ARZ3NDEKTSV4RRFFQ69G5FAW quire.prompts.generation_failed.v1 "
                  "req_01ARZ3NDEKTSV4RRFFQ69G5FAW",
                  "3 evt_01ARZ3NDEKTSV4RRFFQ69G5FAX quire.prompts.generation_failed.v1 "
                  "req_01ARZ3NDEKTSV4RRFFQ69G5FAX"}));
}

TEST_F(StoriesTest, EventsOfAWeekAgoAreGone) {
    chat("req_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    EXPECT_EQ(events().size(), 1U);
    const auto nothing = test::run(under_.journal.prune());
    EXPECT_TRUE(nothing && !*nothing);
    EXPECT_EQ(events().size(), 1U);
    under_.clock.advance(std::chrono::hours(8 * 24));

    const auto gone = test::run(under_.journal.prune());

    EXPECT_TRUE(gone);
    EXPECT_TRUE(events().empty());
    chat("req_01ARZ3NDEKTSV4RRFFQ69G5FAW");
    EXPECT_EQ(events(), (std::vector<std::string>{"2 evt_01ARZ3NDEKTSV4RRFFQ69G5FAW "
                                                  "quire.prompts.generation_completed.v1 "
                                                  "req_01ARZ3NDEKTSV4RRFFQ69G5FAW"}));
}

}  // namespace
}  // namespace quire::prompts
