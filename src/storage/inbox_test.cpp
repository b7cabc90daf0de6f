#include "storage/inbox.hpp"

#include "storage/sqlite_connection.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

namespace quire::storage {
namespace {

class InboxTest : public testing::Test {
protected:
    InboxTest() {
        auto opened = SqliteConnection::open(folder_.path() / "test.db");
        EXPECT_TRUE(opened);
        store_ = *std::move(opened);
        EXPECT_TRUE(store_->run_script(std::string(kInboxTable)));
    }

    Arrival arrive(std::int64_t sequence, std::string consumer = "credits",
                   std::string source = "/services/prompts") {
        const std::string id = fmt::format("evt_{}_{}", source, sequence);
        const auto arrival =
            receive(*store_, {std::move(consumer), std::move(source), id, sequence, Timestamp{5}});
        EXPECT_TRUE(arrival);
        return arrival ? *arrival : Arrival::kGap;
    }
    std::int64_t last(const std::string& consumer = "credits") {
        const auto sequence = last_received(*store_, consumer, "/services/prompts");
        EXPECT_TRUE(sequence);
        return sequence ? *sequence : -1;
    }

    test::TemporaryFolder folder_;
    std::unique_ptr<SqliteConnection> store_;
};

TEST_F(InboxTest, TakesEventsInTheirOrder) {
    EXPECT_EQ(last(), 0);
    for (int i = 1; i <= 3; ++i) {
        EXPECT_EQ(arrive(i), Arrival::kFirst);
        EXPECT_EQ(last(), i);
    }
}

TEST_F(InboxTest, KnowsADuplicate) {
    EXPECT_EQ(arrive(1), Arrival::kFirst);
    EXPECT_EQ(arrive(2), Arrival::kFirst);

    EXPECT_EQ(arrive(1), Arrival::kDuplicate);
    EXPECT_EQ(arrive(2), Arrival::kDuplicate);
    EXPECT_EQ(last(), 2);
}

TEST_F(InboxTest, NotesNothingWhenEarlierEventsAreMissing) {
    EXPECT_EQ(arrive(1), Arrival::kFirst);

    EXPECT_EQ(arrive(3), Arrival::kGap);

    EXPECT_EQ(last(), 1);
    EXPECT_EQ(arrive(2), Arrival::kFirst);
    EXPECT_EQ(arrive(3), Arrival::kFirst);
}

TEST_F(InboxTest, CountsEachConsumerAndSourceForItself) {
    EXPECT_EQ(arrive(1), Arrival::kFirst);

    EXPECT_EQ(arrive(1, "analytics"), Arrival::kFirst);
    EXPECT_EQ(arrive(1, "credits", "/services/auth"), Arrival::kFirst);
    EXPECT_EQ(arrive(2, "credits", "/services/auth"), Arrival::kFirst);

    EXPECT_EQ(last(), 1);
    EXPECT_EQ(last("analytics"), 1);
    EXPECT_EQ(last("unknown"), 0);
}

TEST_F(InboxTest, ForgetsAnEventWhoseTransactionFailed) {
    auto work = [this](Connection&) -> Result<void> {
        EXPECT_EQ(arrive(1), Arrival::kFirst);
        return Error(ErrorCode::kInternalError, "its effect failed");
    };

    EXPECT_FALSE(in_transaction(*store_, true, work));

    EXPECT_EQ(arrive(1), Arrival::kFirst);
}

}  // namespace
}  // namespace quire::storage
