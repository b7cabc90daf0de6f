#include "services/prompts/hold.hpp"

#include "storage/sqlite_connection.hpp"
#include "tests/support/generation_fixture.hpp"

#include <atomic>
#include <climits>

namespace quire::prompts {
namespace {

using namespace std::chrono_literals;
using test::finished_event;
using test::started_event;
using test::text_event;
using test::Words;

/// What a request costs, however it ends.
class HoldTest : public test::GenerationFixture {
protected:
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
};

TEST_F(HoldTest, AsksForTheMostThatTheRequestCanCost) {
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

TEST_F(HoldTest, TextWithMembersBesideItIsText) {
    const std::string part = R"({"type":"text","text":"hi","cache_control":{"type":"ephemeral"}})";
    call_.mutable_request()->mutable_messages(0)->add_parts()->set_raw_json(part);
    play_.events = {started_event(), finished_event()};

    ASSERT_TRUE(chat());

    EXPECT_EQ(under_.admitted.front().input_tokens_bound(),
              8 + static_cast<std::int64_t>(part.size()) + 16 + 11);
}

TEST_F(HoldTest, OnlyTheContextBoundsWhatIsNotText) {
    call_.mutable_request()->mutable_messages(0)->add_parts()->set_raw_json("{}");
    play_.events = {started_event(), finished_event()};

    ASSERT_TRUE(chat());

    EXPECT_EQ(under_.admitted.front().input_tokens_bound(), INT64_MAX);
}

TEST_F(HoldTest, NothingIsSentUpstreamWithoutAHold) {
    under_.admit_refusal = Error(ErrorCode::kInsufficientQuota, "poor");

    const auto ended = chat();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kInsufficientQuota);
    EXPECT_EQ(under_.inference->generate_calls, 0);
    EXPECT_EQ(booked(), Words{});
}

TEST_F(HoldTest, NothingProducedIsNothingCharged) {
    play_.end = Error(ErrorCode::kUpstreamError, "refused");

    EXPECT_FALSE(chat());

    EXPECT_EQ(booked(), (Words{"void"}));
}

TEST_F(HoldTest, WhatCameBeforeABreakIsPaidFor) {
    play_.events = {started_event(), text_event("a"), text_event("b")};
    play_.end = Error(ErrorCode::kStreamInterrupted, "cut");

    EXPECT_FALSE(chat());

    EXPECT_EQ(booked(), (Words{"failed 6+2 estimated"}));
}

TEST_F(HoldTest, WhatIsPaidForIsNotToBeRepeated) {
    play_.events = {started_event(), text_event("a")};
    play_.end = Error(ErrorCode::kStreamInterrupted, "cut");
    const auto paid = chat();
    play_.events.clear();
    const auto free = chat();

    ASSERT_FALSE(paid || free);
    EXPECT_TRUE(paid.error().is_paid());
    EXPECT_FALSE(free.error().is_paid());
}

TEST_F(HoldTest, WhatCameBeforeTheClientLeftIsPaidFor) {
    play_.events = {started_event(), text_event("a")};
    play_.end = cancelled_error();

    EXPECT_FALSE(chat());

    EXPECT_EQ(booked(), (Words{"cancelled 6+1 estimated"}));
}

TEST_F(HoldTest, TheEndIsNotToldBeforeItIsPaidFor) {
    play_.events = {started_event(), text_event("a"), finished_event()};
    under_.settle_refusal = Error(ErrorCode::kStorageUnavailable, "disk full");

    const auto ended = chat();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kSettleFailed);
    EXPECT_EQ(events_.words, (Words{"started", "a"}));
}

TEST_F(HoldTest, SettlesByItsOwnCountWhenTheProvidersMakesNoSense) {
    play_.events = {started_event(), text_event("a"), finished_event()};
    play_.events.back().mutable_finished()->mutable_usage()->set_input_tokens(INT64_MAX);
    under_.settle_refusal = Error(ErrorCode::kInvalidValue, "absurd");

    ASSERT_TRUE(chat());

    EXPECT_EQ(booked(), (Words{"completed 6+1 estimated"}));
}

TEST_F(HoldTest, AFaultOfTheLedgersWholeBatchIsNoEndOfASettlement) {
    play_.events = {started_event(), text_event("a"), finished_event()};
    refuse_settlements(Error(ErrorCode::kInternalError, "memory and store differ"), 1);

    const auto ended =
        test::run_on(under_.loops.loop(0), under_.service.chat(ctx_, call_, events_));

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kSettleFailed);
    EXPECT_TRUE(test::wait_until([&] { return settlements_ == 2; }));
    under_.settlements.stop();
}

TEST_F(HoldTest, AnAdmissionThatCameTooLateIsReleased) {
    under_.admit_refusal = Error(ErrorCode::kDeadlineExceeded, "late");

    const auto ended =
        test::run_on(under_.loops.loop(0), under_.service.chat(ctx_, call_, events_));
    under_.settlements.stop();

    ASSERT_FALSE(ended);
    EXPECT_EQ(booked(), (Words{"void"}));
}

TEST_F(HoldTest, ALaterTryFallsBackToItsOwnCountToo) {
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

/// A table of the store takes nothing while one lives, and can be read.
class NothingStored {
public:
    NothingStored(const std::filesystem::path& folder, const std::string& table)
        : store_(*storage::SqliteConnection::open(folder / "prompts.db")) {
        run("CREATE TRIGGER disk_full BEFORE INSERT ON " + table +
            " BEGIN SELECT RAISE(ABORT, 'full'); END");
    }
    ~NothingStored() { run("DROP TRIGGER disk_full"); }
    NothingStored(const NothingStored&) = delete;
    NothingStored& operator=(const NothingStored&) = delete;

private:
    void run(const std::string& sql) { EXPECT_TRUE(store_->run_script(sql)); }

    std::unique_ptr<storage::SqliteConnection> store_;
};

TEST_F(HoldTest, AnAnswerThatCouldNotBeStoredIsStoredLater) {
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
        const NothingStored refused(under_.folder.path(), "outcomes");
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

TEST_F(HoldTest, AnAnswerIsKeptForADayAndNoLonger) {
    ctx_.idempotency_key = "k";
    play_.events = {started_event(), text_event("a"), finished_event()};
    ASSERT_TRUE(chat());
    const auto is_kept = [&] {
        const auto pruned = test::run(under_.journal.prune());
        EXPECT_TRUE(pruned);
        const auto found = test::run(under_.journal.find_answer(ctx_, ctx_.request_id));
        return found && found->has_value();
    };

    under_.clock.advance(std::chrono::hours(23));
    EXPECT_TRUE(is_kept());
    under_.clock.advance(std::chrono::hours(3));
    EXPECT_FALSE(is_kept());
}

TEST_F(HoldTest, NoBookingWaitsForTheStoringOfAnAnswer) {
    ctx_.idempotency_key = "k";
    play_.events = {started_event(), text_event("a"), finished_event()};
    const NothingStored refused(under_.folder.path(), "outcomes");
    refuse_settlements(Error(ErrorCode::kStorageUnavailable, "disk full"), 1);

    const auto ended =
        test::run_on(under_.loops.loop(0), under_.service.chat(ctx_, call_, events_));

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kSettleFailed);
    EXPECT_TRUE(test::wait_until([&] { return settlements_ == 2; }));
    under_.settlements.stop();
    EXPECT_EQ(settlements_, 2);
}

TEST_F(HoldTest, WhatCouldBeNotedNowhereIsInTheLogAtTheEnd) {
    play_.events = {started_event(), text_event("a"), finished_event()};
    const NothingStored refused(under_.folder.path(), "journal");
    refuse_settlements(Error(ErrorCode::kStorageUnavailable, "disk full"), INT_MAX);
    testing::internal::CaptureStderr();

    const auto ended =
        test::run_on(under_.loops.loop(0), under_.service.chat(ctx_, call_, events_));
    under_.settlements.stop();
    under_.journal.stop();

    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_FALSE(ended);
    const auto at = log.find("could not be noted before the end");
    ASSERT_NE(at, std::string::npos) << log;
    const std::string line = log.substr(at, log.find('\n', at) - at);
    EXPECT_NE(line.find(ctx_.request_id), std::string::npos) << line;
    EXPECT_NE(line.find("output_tokens=\"1\""), std::string::npos) << line;
}

TEST_F(HoldTest, APartThatIsGreaterThanItsWholeIsNoCount) {
    play_.events = {started_event(), text_event("a"), finished_event()};
    common::v1::Usage& usage = *play_.events.back().mutable_finished()->mutable_usage();
    usage.set_input_tokens(5);
    usage.set_output_tokens(1);
    usage.set_reasoning_tokens(2);

    ASSERT_TRUE(chat());

    EXPECT_EQ(booked(), (Words{"completed 6+1 estimated"}));
    EXPECT_TRUE(events_.all.back().finished().usage().estimated());
}

TEST_F(HoldTest, AnIdThatRunsAlreadyIsRefusedAndItsHoldLeftAlone) {
    under_.admission.set_outcome(credits::v1::AdmitResponse::EXISTS);

    const auto ended = chat();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kAlreadyExists);
    EXPECT_EQ(under_.inference->generate_calls, 0);
    EXPECT_EQ(booked(), Words{});
}

TEST_F(HoldTest, ARepeatGetsTheStoredAnswerFree) {
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

TEST_F(HoldTest, ARepeatOfWhatBrokeOffIsToldSo) {
    under_.admission.set_outcome(credits::v1::AdmitResponse::COMPLETED);
    under_.admission.set_first_request_id("req_other");

    const auto ended = chat();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kAlreadyCompleted);
    EXPECT_EQ(ended.error().detail("first_request"), "req_other");
}

TEST_F(HoldTest, GuessesTheUsageThatNeverCame) {
    play_.events = {started_event(), text_event("a"), text_event("b"), finished_event()};

    ASSERT_TRUE(chat());

    const common::v1::Usage usage = events_.all.back().finished().usage();
    EXPECT_EQ(events_.words.back(), "finished:stop");
    EXPECT_TRUE(usage.estimated());
    EXPECT_EQ(usage.input_tokens(), 6);
    EXPECT_EQ(usage.output_tokens(), 2);
}

}  // namespace
}  // namespace quire::prompts
