#include "services/prompts/prompts_service.hpp"

#include "tests/support/generation_fixture.hpp"

namespace quire::prompts {
namespace {

using namespace std::chrono_literals;
using common::v1::ChatEvent;
using test::finished_event;
using test::started_event;
using test::text_event;
using test::Words;

class PromptsServiceTest : public test::GenerationFixture {
protected:
    /// An answer, before whose end the same id is asked for once more, both ways.
    awaitable<Result<void>> ask_meanwhile(rpc::Sink<ChatEvent>& sink, Result<void>& chat_again,
                                          Result<void>& generate_again) {
        test::ChatEvents ignored;
        chat_again = co_await under_.service.chat(ctx_, call_, ignored);
        v1::GenerateCall unknown;
        unknown.set_prompt("never");
        generate_again = co_await under_.service.generate(ctx_, unknown, ignored);
        for (const ChatEvent& event : {started_event(), text_event("a"), finished_event()}) {
            const auto written = co_await sink.write(event);
            if (!written) co_return written.error();
        }
        co_return Result<void>();
    }
};

TEST_F(PromptsServiceTest, PassesTheRequestOnWithTheOutputThatWasAdmitted) {
    play_.events = {started_event(), finished_event()};

    ASSERT_TRUE(chat());

    common::v1::ChatRequest limited = call_.request();
    limited.set_max_tokens(100);
    EXPECT_EQ(play_.asked, limited.ShortDebugString());
    EXPECT_EQ(play_.ctx, &ctx_);
    EXPECT_EQ(under_.inference->generate_calls, 1);
}

TEST_F(PromptsServiceTest, LimitsTheFieldThatTheClientUsed) {
    call_.mutable_request()->set_max_completion_tokens(5000);
    play_.events = {started_event(), finished_event()};

    ASSERT_TRUE(chat());

    EXPECT_EQ(under_.admitted.front().output_tokens_wanted(), 5000);
    EXPECT_NE(play_.asked.find("max_completion_tokens: 100"), std::string::npos) << play_.asked;
    EXPECT_EQ(play_.asked.find("max_tokens"), std::string::npos) << play_.asked;
}

TEST_F(PromptsServiceTest, PassesPiecesOnUnchangedAndInOrder) {
    ChatEvent finished = finished_event("length");
    finished.mutable_finished()->mutable_usage()->set_output_tokens(0);
    play_.events = {started_event(), text_event("a"), text_event(""), text_event("b"), finished};

    ASSERT_TRUE(chat());

    EXPECT_EQ(events_.words, (Words{"started", "a", "", "b", "finished:length"}));
    EXPECT_EQ(events_.all.back().finished().cost().amount(), 7);
    EXPECT_EQ(booked(), (Words{"completed 0+0"}));
}

TEST_F(PromptsServiceTest, AProviderThatIgnoresTheLimitIsLeft) {
    under_.admission = test::PromptsUnderTest::granted(16);
    play_.events = {started_event()};
    for (int i = 0; i < 1000; ++i) play_.events.push_back(text_event("word "));
    play_.events.push_back(finished_event());

    ASSERT_TRUE(chat());

    EXPECT_EQ(events_.words.back(), "finished:length");
    EXPECT_EQ(events_.words.size(), 1u + 97 + 1);  // up to (16 + 32) * 2 and one
    EXPECT_EQ(booked(), (Words{"completed 6+16 estimated"}));
}

TEST_F(PromptsServiceTest, AnAnswerUpToItsLimitIsNotCutHoweverItIsSent) {
    under_.admission = test::PromptsUnderTest::granted(16);
    for (const auto& [piece, count] : {std::pair<std::string, int>("x", 150),
                                       {"long words, ", 16},
                                       {std::string(1'000, 'x'), 1}}) {
        play_.events = {started_event()};
        for (int i = 0; i < count; ++i) play_.events.push_back(text_event(piece));
        play_.events.push_back(finished_event());
        events_ = test::ChatEvents();

        ASSERT_TRUE(chat());

        EXPECT_EQ(events_.words.back(), "finished:stop") << piece;
    }
}

TEST_F(PromptsServiceTest, ASecondCallOfARunningIdLeavesTheFirstAlone) {
    Result<void> chat_again;
    Result<void> generate_again;
    const auto as_played = under_.inference->on_generate;
    under_.inference->on_generate = [&](const rpc::CallContext&, const auto&,
                                        rpc::Sink<ChatEvent>& sink) {
        return ask_meanwhile(sink, chat_again, generate_again);
    };

    ASSERT_TRUE(chat());

    for (const auto* again : {&chat_again, &generate_again}) {
        ASSERT_FALSE(*again);
        EXPECT_EQ(again->error().code(), ErrorCode::kAlreadyExists);
    }
    EXPECT_EQ(under_.admitted.size(), 1u);
    EXPECT_EQ(booked(), (Words{"completed 6+1 estimated"}));
    under_.inference->on_generate = as_played;
    play_.events = {started_event(), finished_event()};
    EXPECT_TRUE(chat()) << "the id is free again";
}

TEST_F(PromptsServiceTest, PassesErrorsOnUnchanged) {
    using enum ErrorCode;
    for (const ErrorCode code : {kModelNotFound, kQueueFull, kUpstreamError, kStreamInterrupted,
                                 kCancelled, kInternalError}) {
        play_.end = Error(code, "why").with_retry_after(7s).with_detail("limit", "3");

        const auto ended = chat();

        ASSERT_FALSE(ended);
        EXPECT_EQ(ended.error(), Error(code, "why").with_retry_after(7s).with_detail("limit", "3"));
    }
}

TEST_F(PromptsServiceTest, KeepsWhatCameBeforeAnError) {
    play_.events = {started_event(), text_event("a")};
    play_.end = Error(ErrorCode::kStreamInterrupted, "cut");

    EXPECT_FALSE(chat());
    EXPECT_EQ(events_.words, (Words{"started", "a"}));
}

TEST_F(PromptsServiceTest, TheReadersRefusalReachesInference) {
    play_.events = {started_event(), text_event("a")};
    events_.refusal = Error(ErrorCode::kRequestTooLarge, "enough");

    const auto ended = chat();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kRequestTooLarge);
}

TEST_F(PromptsServiceTest, ListsTheModelsOfInferenceInTheirOrder) {
    under_.inference->on_list_models = [](const rpc::CallContext&,
                                          const inference::v1::ListModelsRequest&)
        -> awaitable<Result<inference::v1::ListModelsResponse>> {
        inference::v1::ListModelsResponse response;
        for (const char* name : {"b", "a"}) {
            auto& model = *response.add_models();
            model.set_name(name);
            model.set_provider("local");
            model.set_created_at_us(5);
        }
        co_return response;
    };
    const v1::ListModelsRequest all;

    const auto listed = test::run(under_.service.list_models(ctx_, all));

    ASSERT_TRUE(listed);
    ASSERT_EQ(listed->models_size(), 2);
    EXPECT_EQ(listed->models(0).name(), "b");
    EXPECT_EQ(listed->models(1).name(), "a");
    EXPECT_EQ(listed->models(1).provider(), "local");
    EXPECT_EQ(listed->models(1).created_at_us(), 5);
}

TEST_F(PromptsServiceTest, PassesOnWhyThereIsNoList) {
    const v1::ListModelsRequest all;

    const auto listed = test::run(under_.service.list_models(ctx_, all));

    ASSERT_FALSE(listed);
    EXPECT_EQ(listed.error().code(), ErrorCode::kInternalError);
}

}  // namespace
}  // namespace quire::prompts
