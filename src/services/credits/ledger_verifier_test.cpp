#include "services/credits/ledger_verifier.hpp"

#include "base/clock.hpp"
#include "services/credits/ledger_schema.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

namespace quire::credits {
namespace {

class LedgerVerifierTest : public testing::Test {
protected:
    LedgerVerifierTest() {
        auto store = storage::SqliteConnection::open(path_);
        EXPECT_TRUE(store);
        store_ = *std::move(store);
        EXPECT_TRUE(migrate_ledger(*store_, "credits.db", SystemClock()));
        auto verifier = LedgerVerifier::open(path_);
        EXPECT_TRUE(verifier);
        verifier_ = *std::move(verifier);
    }

    /// Events that nothing was booked for.
    void invent_events(int count) {
        const auto written = store_->execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) "
            "INSERT INTO outbox (event_id, type, subject, payload, traceparent, created_at) "
            "SELECT 'evt_' || i, 'invented', 'req_' || i, '', '', 0 FROM n",
            {std::int64_t{count}});
        ASSERT_TRUE(written);
    }
    Result<LedgerReport> verify() { return test::run(verifier_->verify()); }

    test::TemporaryFolder folder_;
    std::string path_ = folder_.path() / "credits.db";
    std::unique_ptr<storage::SqliteConnection> store_;
    std::unique_ptr<LedgerVerifier> verifier_;
};

TEST_F(LedgerVerifierTest, SeesWhatTheWriterCommitted) {
    const auto before = verify();
    ASSERT_TRUE(before);
    EXPECT_TRUE(before->is_ok());

    invent_events(1);
    const auto after = verify();

    ASSERT_TRUE(after);
    EXPECT_EQ(after->violations, std::vector<std::string>{"I9: req_1 is told and not booked"});
}

TEST_F(LedgerVerifierTest, ALongLookEndsWhenTheProcessStops) {
    invent_events(20'000);

    verifier_->stop();
    const auto report = verify();

    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code(), ErrorCode::kShuttingDown);
}

}  // namespace
}  // namespace quire::credits
