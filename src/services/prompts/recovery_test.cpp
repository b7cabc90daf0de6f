#include "services/prompts/recovery.hpp"

#include "runtime/metrics.hpp"
#include "storage/sqlite_connection.hpp"
#include "tests/support/prompts_under_test.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <thread>

namespace quire::prompts {
namespace {

class RecoveryTest : public testing::Test {
protected:
    RecoveryTest() {
        under_.credits->on_list_open_holds = [this](const rpc::CallContext&,
                                                    const credits::v1::ListOpenHoldsRequest&)
            -> awaitable<Result<credits::v1::ListOpenHoldsResponse>> { co_return open_holds(); };
    }
    void add_hold(const std::string& request_id, const std::string& owner) {
        auto& hold = *holds_.add_holds();
        hold.set_request_id(request_id);
        hold.set_owner(owner);
    }
    /// Those that are not settled yet.
    credits::v1::ListOpenHoldsResponse open_holds() {
        credits::v1::ListOpenHoldsResponse open;
        for (const auto& hold : holds_.holds()) {
            const bool is_settled = std::ranges::any_of(under_.settled, [&](const auto& settled) {
                return settled.request_id() == hold.request_id();
            });
            if (!is_settled) *open.add_holds() = hold;
        }
        return open;
    }
    static credits::v1::SettleRequest settlement(const std::string& request_id,
                                                 std::int64_t output) {
        credits::v1::SettleRequest settle;
        settle.set_request_id(request_id);
        settle.mutable_usage()->set_output_tokens(output);
        return settle;
    }
    Result<void> recover() { return test::run(recover_holds(under_.service.deps())); }

    /// The metric's line.
    static std::string failed_writes() {
        const std::string text = runtime::metrics_text();
        const auto at = text.find("\nquire_journal_failed_total ");
        return at == std::string::npos ? "" : text.substr(at, text.find('\n', at + 1) - at);
    }

    test::PromptsUnderTest under_;
    credits::v1::ListOpenHoldsResponse holds_;
};

TEST_F(RecoveryTest, VoidsWhatNothingIsKnownOf) {
    add_hold("req_1", "prompts@dead");

    ASSERT_TRUE(recover());

    EXPECT_EQ(under_.voided, std::vector<std::string>{"req_1"});
    EXPECT_TRUE(under_.settled.empty());
}

TEST_F(RecoveryTest, SettlesTheLastCheckpoint) {
    add_hold("req_1", "prompts@dead");
    under_.journal.checkpoint(settlement("req_1", 3));
    under_.journal.checkpoint(settlement("req_1", 5));
    under_.journal.stop();

    ASSERT_TRUE(recover());

    ASSERT_EQ(under_.settled.size(), 1U);
    EXPECT_EQ(under_.settled[0].usage().output_tokens(), 5);
    EXPECT_TRUE(under_.voided.empty());
}

TEST_F(RecoveryTest, ACheckpointThatWasRefusedDoesNotReplaceANewerOne) {
    using namespace std::chrono_literals;
    const auto store = *storage::SqliteConnection::open(under_.folder.path() / "prompts.db");
    ASSERT_TRUE(
        store->run_script("CREATE TRIGGER refuse BEFORE INSERT ON journal WHEN "
                          "NEW.request_id = 'req_2' BEGIN SELECT RAISE(ABORT, 'no'); END"));
    std::latch written(1);
    std::thread busy([&] {
        auto wait = [&](storage::Connection&) -> Result<void> {
            written.wait();
            return {};
        };
        EXPECT_TRUE(test::run(under_.database->write(std::move(wait))));
    });
    const std::string before = failed_writes();
    under_.journal.checkpoint(settlement("req_1", 3));
    under_.journal.checkpoint(settlement("req_2", 1));
    // Nothing tells that a flush was taken; where it was not, this test shows less.
    std::this_thread::sleep_for(100ms);
    under_.journal.checkpoint(settlement("req_1", 5));
    std::this_thread::sleep_for(100ms);

    written.count_down();
    busy.join();
    ASSERT_TRUE(test::wait_until([&] { return failed_writes() != before; }));
    ASSERT_TRUE(store->run_script("DROP TRIGGER refuse"));
    under_.journal.stop();

    const auto noted = test::run(under_.journal.unsettled());
    ASSERT_TRUE(noted);
    ASSERT_EQ(noted->size(), 2U);
    EXPECT_EQ(noted->front().usage().output_tokens(), 5);
}

TEST_F(RecoveryTest, PrefersTheWholeAnswer) {
    add_hold("req_1", "prompts@dead");
    under_.journal.checkpoint(settlement("req_1", 3));
    under_.journal.stop();
    const rpc::CallContext ctx;
    const auto answer = settlement("req_1", 9);
    const v1::StoredAnswer stored;
    ASSERT_TRUE(test::run(under_.journal.put_outcome(ctx, answer, stored)));

    ASSERT_TRUE(recover());

    ASSERT_EQ(under_.settled.size(), 1U);
    EXPECT_EQ(under_.settled[0].usage().output_tokens(), 9);
}

TEST_F(RecoveryTest, ACheckpointThatStillWaitsDoesNotReplaceTheWholeAnswer) {
    under_.journal.checkpoint(settlement("req_1", 3));
    const rpc::CallContext ctx;
    ASSERT_TRUE(
        test::run(under_.journal.put_outcome(ctx, settlement("req_1", 9), v1::StoredAnswer())));
    under_.journal.stop();

    ASSERT_TRUE(recover());

    ASSERT_EQ(under_.settled.size(), 1U);
    EXPECT_EQ(under_.settled[0].usage().output_tokens(), 9);
}

TEST_F(RecoveryTest, ACheckpointThatComesLateDoesNotReplaceTheWholeAnswer) {
    const rpc::CallContext ctx;
    ASSERT_TRUE(
        test::run(under_.journal.put_outcome(ctx, settlement("req_1", 9), v1::StoredAnswer())));
    under_.journal.checkpoint(settlement("req_1", 3));
    under_.journal.stop();

    ASSERT_TRUE(recover());

    ASSERT_EQ(under_.settled.size(), 1U);
    EXPECT_EQ(under_.settled[0].usage().output_tokens(), 9);
}

TEST_F(RecoveryTest, SettlesWhatHasNoHoldAnyMore) {
    under_.journal.checkpoint(settlement("req_1", 3));
    under_.journal.stop();
    const rpc::CallContext ctx;
    ASSERT_TRUE(
        test::run(under_.journal.put_outcome(ctx, settlement("req_2", 9), v1::StoredAnswer())));

    ASSERT_TRUE(recover());

    ASSERT_EQ(under_.settled.size(), 2U);
    EXPECT_EQ(under_.settled[0].usage().output_tokens(), 3);
    EXPECT_EQ(under_.settled[1].usage().output_tokens(), 9);
    ASSERT_TRUE(recover());
    EXPECT_EQ(under_.settled.size(), 2U) << "once";
}

TEST_F(RecoveryTest, AnAnswerThatWasSettledIsNotSettledAgain) {
    const rpc::CallContext ctx;
    ASSERT_TRUE(
        test::run(under_.journal.put_outcome(ctx, settlement("req_1", 9), v1::StoredAnswer())));
    under_.journal.forget("req_1");
    under_.journal.stop();

    ASSERT_TRUE(recover());

    EXPECT_TRUE(under_.settled.empty());
}

TEST_F(RecoveryTest, KeepsTheJournalWhileTheLedgerCannotBeWritten) {
    under_.journal.checkpoint(settlement("req_1", 3));
    under_.journal.stop();
    under_.settle_refusal = Error(ErrorCode::kStorageUnavailable, "full");

    EXPECT_FALSE(recover());
    ASSERT_TRUE(recover());

    EXPECT_EQ(under_.settled.size(), 1U);
}

TEST_F(RecoveryTest, WhatTheLedgerRefusesForGoodStopsNothing) {
    under_.journal.checkpoint(settlement("req_1", 3));
    under_.journal.checkpoint(settlement("req_2", 5));
    under_.journal.stop();
    under_.settle_refusal = Error(ErrorCode::kAlreadyCompleted, "voided");

    ASSERT_TRUE(recover());

    ASSERT_EQ(under_.settled.size(), 1U);
    EXPECT_EQ(under_.settled[0].request_id(), "req_2");
}

TEST_F(RecoveryTest, LeavesTheHoldsOfThisProcessAlone) {
    add_hold("req_1", "me");

    ASSERT_TRUE(recover());

    EXPECT_TRUE(under_.voided.empty());
    EXPECT_TRUE(under_.settled.empty());
}

TEST_F(RecoveryTest, AForgottenCheckpointIsNotFound) {
    under_.journal.checkpoint(settlement("req_1", 3));
    under_.journal.stop();
    under_.journal.forget("req_1");
    under_.journal.stop();
    add_hold("req_1", "prompts@dead");

    ASSERT_TRUE(recover());

    EXPECT_EQ(under_.voided, std::vector<std::string>{"req_1"});
}

TEST_F(RecoveryTest, ACheckpointOutlivesAStoreThatCannotBeWritten) {
    const auto rename = [this](const char* script) {
        return under_.database->write_blocking(
            [script](storage::Connection& connection) { return connection.run_script(script); });
    };
    const std::string before = failed_writes();
    ASSERT_TRUE(rename("ALTER TABLE journal RENAME TO away"));
    under_.journal.checkpoint(settlement("req_1", 3));
    ASSERT_TRUE(test::wait_until([&] { return failed_writes() != before; }));
    ASSERT_TRUE(rename("ALTER TABLE away RENAME TO journal"));
    under_.journal.stop();
    add_hold("req_1", "prompts@dead");

    ASSERT_TRUE(recover());

    ASSERT_EQ(under_.settled.size(), 1U);
    EXPECT_EQ(under_.settled[0].usage().output_tokens(), 3);
}

TEST_F(RecoveryTest, SaysWhenTheLedgerCannotBeRead) {
    under_.credits->on_list_open_holds = nullptr;

    EXPECT_FALSE(recover());
}

}  // namespace
}  // namespace quire::prompts
