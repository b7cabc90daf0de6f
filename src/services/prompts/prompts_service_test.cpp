#include "services/prompts/prompts_service.hpp"

#include "runtime/http/problem.hpp"
#include "storage/sqlite_connection.hpp"
#include "tests/support/chat_events.hpp"
#include "tests/support/prompts_under_test.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>

namespace quire::prompts {
namespace {

using namespace std::chrono_literals;
using common::v1::ChatEvent;
using test::finished_event;
using test::started_event;
using test::text_event;
using Words = std::vector<std::string>;

/// Inference that notes what it was asked, sends these events and ends so.
struct Play {
    std::vector<ChatEvent> events;
    std::optional<Error> end;
    std::string asked;
    const rpc::CallContext* ctx = nullptr;
};

awaitable<Result<void>> play(Play& play, const rpc::CallContext& ctx,
                             const inference::v1::GenerateRequest& request,
                             rpc::Sink<ChatEvent>& sink) {
    play.asked = request.request().ShortDebugString();
    play.ctx = &ctx;
    for (const ChatEvent& event : play.events) {
        const auto written = co_await sink.write(event);
        if (!written) co_return written.error();
    }
    if (play.end) co_return *play.end;
    co_return Result<void>();
}

class PromptsServiceTest : public testing::Test {
protected:
    PromptsServiceTest() {
        under_.inference->on_generate =
            [this](const rpc::CallContext& ctx, const inference::v1::GenerateRequest& request,
                   rpc::Sink<ChatEvent>& sink) { return play(play_, ctx, request, sink); };
        call_.mutable_request()->set_model("writer");
        call_.mutable_request()->add_messages()->add_parts()->set_text("12345678");
        call_.mutable_request()->set_extra_json(R"({"top_k":1})");
        ctx_.request_id = "req_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    }
    Result<void> chat() { return test::run(under_.service.chat(ctx_, call_, events_)); }
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
    /// A ledger for which every other request is a repeat of `first`, which is over.
    awaitable<Result<credits::v1::AdmitResponse>> admit_again(const rpc::CallContext& ctx,
                                                              std::string first) {
        auto admitted = test::PromptsUnderTest::granted(100);
        if (ctx.request_id != first) {
            admitted.set_outcome(credits::v1::AdmitResponse::COMPLETED);
            admitted.set_first_request_id(first);
        }
        co_return admitted;
    }
    /// A ledger that cannot be written at first, and then takes no absurd usage.
    awaitable<Result<credits::v1::SettleResponse>> refuse_absurd(
        int tries, credits::v1::SettleRequest request) {
        if (tries == 1) co_return Error(ErrorCode::kStorageUnavailable, "disk full");
        if (request.usage().input_tokens() == INT64_MAX) {
            co_return Error(ErrorCode::kInvalidValue, "absurd");
        }
        under_.settled.push_back(request);
        co_return credits::v1::SettleResponse();
    }
    /// What was booked: the status and the tokens of each settlement, "void" for a release.
    Words booked() const {
        Words words;
        for (const auto& settle : under_.settled) {
            words.push_back(fmt::format(
                "{} {}+{}{}", settle.outcome().status(), settle.usage().input_tokens(),
                settle.usage().output_tokens(), settle.usage().estimated() ? " estimated" : ""));
        }
        for (std::size_t i = 0; i < under_.voided.size(); ++i) words.emplace_back("void");
        return words;
    }

    test::PromptsUnderTest under_;
    Play play_;
    v1::ChatCall call_;
    rpc::CallContext ctx_;
    test::ChatEvents events_;
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

TEST_F(PromptsServiceTest, AsksForTheMostThatTheRequestCanCost) {
    call_.mutable_request()->set_tools_json("[1]");
    call_.mutable_request()->set_extra_json(R"({"functions":[]})");
    play_.events = {started_event(), finished_event()};
    ctx_.deadline = under_.clock.steady() + 60s;

    ASSERT_TRUE(chat());

    const auto& admit = under_.admitted.front();
    EXPECT_EQ(admit.input_tokens_bound(), 8 + 3 + 16 + 16);
    EXPECT_EQ(admit.output_tokens_wanted(), 0);
    EXPECT_EQ(admit.ttl_us(), 660'000'000);
    EXPECT_EQ(admit.owner(), "me");
}

TEST_F(PromptsServiceTest, OnlyTheContextBoundsWhatIsNotText) {
    call_.mutable_request()->mutable_messages(0)->add_parts()->set_raw_json("{}");
    play_.events = {started_event(), finished_event()};

    ASSERT_TRUE(chat());

    EXPECT_EQ(under_.admitted.front().input_tokens_bound(), INT64_MAX);
}

TEST_F(PromptsServiceTest, NothingIsSentUpstreamWithoutAHold) {
    under_.admit_refusal = Error(ErrorCode::kInsufficientQuota, "poor");

    const auto ended = chat();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kInsufficientQuota);
    EXPECT_EQ(under_.inference->generate_calls, 0);
    EXPECT_EQ(booked(), Words{});
}

TEST_F(PromptsServiceTest, NothingProducedIsNothingCharged) {
    play_.end = Error(ErrorCode::kUpstreamError, "refused");

    EXPECT_FALSE(chat());

    EXPECT_EQ(booked(), (Words{"void"}));
}

TEST_F(PromptsServiceTest, WhatCameBeforeABreakIsPaidFor) {
    play_.events = {started_event(), text_event("a"), text_event("b")};
    play_.end = Error(ErrorCode::kStreamInterrupted, "cut");

    EXPECT_FALSE(chat());

    EXPECT_EQ(booked(), (Words{"failed 6+2 estimated"}));
}

TEST_F(PromptsServiceTest, WhatIsPaidForIsNotToBeRepeated) {
    play_.events = {started_event(), text_event("a")};
    play_.end = Error(ErrorCode::kStreamInterrupted, "cut");
    const auto paid = chat();
    play_.events.clear();
    const auto free = chat();

    ASSERT_FALSE(paid || free);
    EXPECT_EQ(paid.error().detail(http::kNoRetry), "true");
    EXPECT_EQ(free.error().detail(http::kNoRetry), "");
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

TEST_F(PromptsServiceTest, WhatCameBeforeTheClientLeftIsPaidFor) {
    play_.events = {started_event(), text_event("a")};
    play_.end = cancelled_error();

    EXPECT_FALSE(chat());

    EXPECT_EQ(booked(), (Words{"cancelled 6+1 estimated"}));
}

TEST_F(PromptsServiceTest, TheEndIsNotToldBeforeItIsPaidFor) {
    play_.events = {started_event(), text_event("a"), finished_event()};
    under_.settle_refusal = Error(ErrorCode::kStorageUnavailable, "disk full");

    const auto ended = chat();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kSettleFailed);
    EXPECT_EQ(events_.words, (Words{"started", "a"}));
}

TEST_F(PromptsServiceTest, SettlesByItsOwnCountWhenTheProvidersMakesNoSense) {
    play_.events = {started_event(), text_event("a"), finished_event()};
    play_.events.back().mutable_finished()->mutable_usage()->set_input_tokens(INT64_MAX);
    under_.settle_refusal = Error(ErrorCode::kInvalidValue, "absurd");

    ASSERT_TRUE(chat());

    EXPECT_EQ(booked(), (Words{"completed 6+1 estimated"}));
}

TEST_F(PromptsServiceTest, ALaterTryFallsBackToItsOwnCountToo) {
    play_.events = {started_event(), text_event("a"), finished_event()};
    play_.events.back().mutable_finished()->mutable_usage()->set_input_tokens(INT64_MAX);
    std::atomic<int> tries{0};
    under_.credits->on_settle = [&](const rpc::CallContext&,
                                    const credits::v1::SettleRequest& request) {
        return refuse_absurd(++tries, request);
    };

    const auto ended =
        test::run_on(under_.loops.loop(0), under_.service.chat(ctx_, call_, events_));

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kSettleFailed);
    EXPECT_TRUE(test::wait_until([&] { return tries == 3; }));
    under_.settlements.stop();
    EXPECT_EQ(booked(), (Words{"completed 6+1 estimated"}));
}

/// The store takes no answers while one lives, and can be read.
class NoAnswersStored {
public:
    explicit NoAnswersStored(const std::filesystem::path& folder)
        : store_(*storage::SqliteConnection::open(folder / "prompts.db")) {
        run("CREATE TRIGGER no_answers BEFORE INSERT ON outcomes "
            "BEGIN SELECT RAISE(ABORT, 'full'); END");
    }
    ~NoAnswersStored() { run("DROP TRIGGER no_answers"); }
    NoAnswersStored(const NoAnswersStored&) = delete;
    NoAnswersStored& operator=(const NoAnswersStored&) = delete;

private:
    void run(const std::string& sql) { EXPECT_TRUE(store_->run_script(sql)); }

    std::unique_ptr<storage::SqliteConnection> store_;
};

TEST_F(PromptsServiceTest, AnAnswerThatCouldNotBeStoredIsStoredLater) {
    ctx_.idempotency_key = "k";
    play_.events = {started_event(), text_event("a"), finished_event()};
    under_.credits->on_admit = [&](const rpc::CallContext& ctx, const credits::v1::AdmitRequest&) {
        return admit_again(ctx, ctx_.request_id);
    };
    rpc::CallContext again = ctx_;
    again.request_id = "req_01ARZ3NDEKTSV4RRFFQ69G5FAW";
    test::ChatEvents replayed;
    const auto chat_again = [&] {
        return test::run_on(under_.loops.loop(0), under_.service.chat(again, call_, replayed));
    };
    {
        const NoAnswersStored refused(under_.folder.path());
        ASSERT_TRUE(test::run_on(under_.loops.loop(0), under_.service.chat(ctx_, call_, events_)));

        const auto waits = chat_again();

        ASSERT_FALSE(waits);
        EXPECT_EQ(waits.error().code(), ErrorCode::kIdempotencyInProgress);
        EXPECT_TRUE(waits.error().retry_after());
    }

    EXPECT_TRUE(test::wait_until([&] { return chat_again().has_value(); }));
    EXPECT_EQ(replayed.words, events_.words);
    under_.settlements.stop();
    EXPECT_FALSE(under_.settlements.is_storing(ctx_.request_id));
    EXPECT_EQ(booked(), (Words{"completed 6+1 estimated"}));
}

TEST_F(PromptsServiceTest, NoBookingWaitsForTheStoringOfAnAnswer) {
    ctx_.idempotency_key = "k";
    play_.events = {started_event(), text_event("a"), finished_event()};
    const NoAnswersStored refused(under_.folder.path());
    std::atomic<int> tries{0};
    std::atomic<int> booked_at{0};
    under_.credits->on_settle =
        [&](const rpc::CallContext&,
            const credits::v1::SettleRequest&) -> awaitable<Result<credits::v1::SettleResponse>> {
        if (++tries == 1) co_return Error(ErrorCode::kStorageUnavailable, "disk full");
        booked_at = tries.load();
        co_return credits::v1::SettleResponse();
    };

    const auto ended =
        test::run_on(under_.loops.loop(0), under_.service.chat(ctx_, call_, events_));

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kSettleFailed);
    EXPECT_TRUE(test::wait_until([&] { return booked_at == 2; }));
    under_.settlements.stop();
    EXPECT_EQ(tries, 2);
}

TEST_F(PromptsServiceTest, APartThatIsGreaterThanItsWholeIsNoCount) {
    play_.events = {started_event(), text_event("a"), finished_event()};
    common::v1::Usage& usage = *play_.events.back().mutable_finished()->mutable_usage();
    usage.set_input_tokens(5);
    usage.set_output_tokens(1);
    usage.set_reasoning_tokens(2);

    ASSERT_TRUE(chat());

    EXPECT_EQ(booked(), (Words{"completed 6+1 estimated"}));
    EXPECT_TRUE(events_.all.back().finished().usage().estimated());
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

TEST_F(PromptsServiceTest, AnIdThatRunsAlreadyIsRefusedAndItsHoldLeftAlone) {
    under_.admission.set_outcome(credits::v1::AdmitResponse::EXISTS);

    const auto ended = chat();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kAlreadyExists);
    EXPECT_EQ(under_.inference->generate_calls, 0);
    EXPECT_EQ(booked(), Words{});
}

TEST_F(PromptsServiceTest, ARepeatGetsTheStoredAnswerFree) {
    ctx_.idempotency_key = "k";
    play_.events = {started_event(), text_event("a"), text_event("b"), finished_event()};
    ASSERT_TRUE(chat());
    events_ = {};
    under_.admission.set_outcome(credits::v1::AdmitResponse::COMPLETED);
    under_.admission.set_first_request_id(ctx_.request_id);

    ASSERT_TRUE(chat());

    EXPECT_EQ(events_.words, (Words{"started", "ab", "finished:stop"}));
    EXPECT_EQ(events_.all.front().started().replay_of(), ctx_.request_id);
    EXPECT_FALSE(events_.all.back().finished().has_cost());
    EXPECT_EQ(booked(), (Words{"completed 6+2 estimated"}));
}

TEST_F(PromptsServiceTest, ARepeatOfWhatBrokeOffIsToldSo) {
    under_.admission.set_outcome(credits::v1::AdmitResponse::COMPLETED);
    under_.admission.set_first_request_id("req_other");

    const auto ended = chat();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kAlreadyCompleted);
    EXPECT_EQ(ended.error().detail("first_request"), "req_other");
}

TEST_F(PromptsServiceTest, GuessesTheUsageThatNeverCame) {
    play_.events = {started_event(), text_event("a"), text_event("b"), finished_event()};

    ASSERT_TRUE(chat());

    const common::v1::Usage usage = events_.all.back().finished().usage();
    EXPECT_EQ(events_.words.back(), "finished:stop");
    EXPECT_TRUE(usage.estimated());
    EXPECT_EQ(usage.input_tokens(), 6);
    EXPECT_EQ(usage.output_tokens(), 2);
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
