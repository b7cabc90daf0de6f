#include "storage/outbox.hpp"

#include "storage/sqlite_connection.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

namespace quire::storage {
namespace {

OutboxRow event(int number) {
    OutboxRow row;
    row.event_id = fmt::format("evt_{}", number);
    row.type = "quire.test.happened.v1";
    row.subject = "req_1";
    row.payload = R"({"a":1})";
    row.traceparent = "00-x";
    row.created_at = Timestamp{number};
    return row;
}

class OutboxTest : public testing::Test {
protected:
    OutboxTest() {
        auto opened = SqliteConnection::open(folder_.path() / "test.db");
        EXPECT_TRUE(opened);
        store_ = *std::move(opened);
        EXPECT_TRUE(store_->run_script(std::string(kOutboxTable)));
    }

    void append(int count) {
        auto work = [count](Connection& connection) -> Result<void> {
            for (int i = 1; i <= count; ++i) EXPECT_TRUE(append_event(connection, event(i)));
            return {};
        };
        EXPECT_TRUE(in_transaction(*store_, true, work));
    }
    std::vector<OutboxRow> read(std::int64_t after, std::int64_t limit) {
        auto rows = read_outbox(*store_, after, limit);
        EXPECT_TRUE(rows);
        if (!rows) return {};
        has_more_ = rows->has_more;
        return std::move(rows->list);
    }

    test::TemporaryFolder folder_;
    std::unique_ptr<SqliteConnection> store_;
    bool has_more_ = false;  ///< what was read last
};

TEST_F(OutboxTest, GivesEventsBackInTheirOrder) {
    append(3);

    const auto rows = read(0, 0);

    ASSERT_EQ(rows.size(), 3u);
    for (int i = 0; i < 3; ++i) {
        const OutboxRow wanted = event(i + 1);
        EXPECT_EQ(rows[i].sequence, i + 1);
        EXPECT_EQ(rows[i].event_id, wanted.event_id);
        EXPECT_EQ(rows[i].type, wanted.type);
        EXPECT_EQ(rows[i].subject, wanted.subject);
        EXPECT_EQ(rows[i].payload, wanted.payload);
        EXPECT_EQ(rows[i].traceparent, wanted.traceparent);
        EXPECT_EQ(rows[i].created_at, wanted.created_at);
    }
}

TEST_F(OutboxTest, GivesWhatComesAfterASequence) {
    append(5);

    const auto rows = read(2, 2);

    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].sequence, 3);
    EXPECT_EQ(rows[1].sequence, 4);
    EXPECT_TRUE(read(5, 0).empty());
}

TEST_F(OutboxTest, LimitsAPage) {
    append(1'005);

    EXPECT_EQ(read(0, 0).size(), 100u);
    EXPECT_EQ(read(0, 1'000).size(), 1'000u);
    EXPECT_EQ(read(0, 5'000).size(), 1'000u);
    EXPECT_EQ(read(0, -5).size(), 1u);
}

TEST_F(OutboxTest, SaysWhetherThereMayBeMore) {
    append(70);

    EXPECT_EQ(read(0, 1'000).size(), 70u);
    EXPECT_FALSE(has_more_);
    EXPECT_EQ(read(0, 40).size(), 40u);
    EXPECT_TRUE(has_more_);
    EXPECT_EQ(read(40, 40).size(), 30u);
    EXPECT_FALSE(has_more_);
    EXPECT_TRUE(read(70, 40).empty());
    EXPECT_FALSE(has_more_);
}

TEST_F(OutboxTest, APageOfLargeEventsIsShorter) {
    for (int i = 1; i <= 100; ++i) {
        OutboxRow large = event(i);
        large.payload = std::string(128 * 1024, 'x');
        ASSERT_TRUE(append_event(*store_, large));
    }
    std::size_t seen = 0;
    std::int64_t after = 0;
    for (has_more_ = true; has_more_;) {
        const auto rows = read(after, 1'000);
        ASSERT_FALSE(rows.empty());
        EXPECT_LE(rows.size(), 16u);  // 2 MiB
        seen += rows.size();
        after = rows.back().sequence;
    }
    EXPECT_EQ(seen, 100u);
}

TEST_F(OutboxTest, RefusesAnEventIdTwice) {
    append(1);

    const auto again = append_event(*store_, event(1));

    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), ErrorCode::kAlreadyExists);
}

TEST_F(OutboxTest, TakesAnEventOnceWhereItMayComeTwice) {
    append(1);
    OutboxRow again = event(1);
    again.payload = "another";

    const auto second = append_event_once(*store_, again);
    const auto next = append_event_once(*store_, event(2));

    ASSERT_TRUE(second && next);
    EXPECT_FALSE(*second);
    EXPECT_TRUE(*next);
    ASSERT_EQ(read(0, 0).size(), 2u);
    EXPECT_EQ(read(0, 0).front().payload, event(1).payload);
    EXPECT_EQ(read(0, 0).back().sequence, 2) << "a gap means a lost event";
}

TEST_F(OutboxTest, AnEventGoesWithItsTransaction) {
    auto work = [](Connection& connection) -> Result<void> {
        const auto appended = append_event(connection, event(1));
        EXPECT_TRUE(appended);
        return Error(ErrorCode::kInternalError, "the change failed");
    };

    EXPECT_FALSE(in_transaction(*store_, true, work));

    EXPECT_TRUE(read(0, 0).empty());
}

TEST_F(OutboxTest, NeverGivesASequenceTwice) {
    append(2);
    ASSERT_TRUE(store_->execute("DELETE FROM outbox"));

    ASSERT_TRUE(append_event(*store_, event(3)));

    EXPECT_EQ(read(0, 0).front().sequence, 3);
}

TEST_F(OutboxTest, RetentionDeletesOldEventsInTheirOrder) {
    append(250);
    OutboxRetention retention;
    const auto prune = [&] { return retention.prune(*store_, Timestamp{221}, Timestamp{250}); };

    for (const std::int64_t first_left : {101, 201, 221}) {
        EXPECT_TRUE(*prune());
        EXPECT_EQ(read(0, 1).front().sequence, first_left);
    }
    EXPECT_FALSE(*prune());

    EXPECT_EQ(read(0, 1).front().sequence, 221);
}

TEST_F(OutboxTest, EventsDatedAheadKeepNoOldOne) {
    for (int i = 0; i < 230; ++i) {
        OutboxRow ahead = event(1'000 + i);
        ASSERT_TRUE(append_event(*store_, ahead));
    }
    append(50);
    OutboxRetention retention;

    for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(*retention.prune(*store_, Timestamp{41}, Timestamp{50}));
    EXPECT_FALSE(*retention.prune(*store_, Timestamp{41}, Timestamp{50}));

    ASSERT_EQ(read(0, 0).size(), 10u);
    EXPECT_EQ(read(0, 0).front().created_at, Timestamp{41});
}

TEST_F(OutboxTest, AnEventDatedBackTakesNoYoungOneWithIt) {
    for (const int at : {50, 51, 3, 52}) ASSERT_TRUE(append_event(*store_, event(at)));
    OutboxRetention retention;

    EXPECT_FALSE(*retention.prune(*store_, Timestamp{41}, Timestamp{60}));

    EXPECT_EQ(read(0, 0).size(), 4u);
}

TEST_F(OutboxTest, RetentionComesBackToEventsThatAreNoLongerAhead) {
    for (int i = 1; i <= 100; ++i) ASSERT_TRUE(append_event(*store_, event(500 + i)));
    OutboxRetention retention;
    const auto prune = [&](std::int64_t until, std::int64_t now) {
        return *retention.prune(*store_, Timestamp{until}, Timestamp{now});
    };
    EXPECT_TRUE(prune(5, 10));  // passed over
    EXPECT_FALSE(prune(5, 10));
    ASSERT_EQ(read(0, 1000).size(), 100u);

    EXPECT_TRUE(prune(601, 601));

    EXPECT_TRUE(read(0, 0).empty());
}

}  // namespace
}  // namespace quire::storage
