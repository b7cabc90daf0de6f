#include "storage/sqlite_connection.hpp"

#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace quire::storage {
namespace {

class SqliteConnectionTest : public testing::Test {
protected:
    SqliteConnectionTest() : store_(open()) {
        const auto made = store_->run_script(
            "CREATE TABLE parents (id INTEGER PRIMARY KEY) STRICT;"
            "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE, "
            "parent INTEGER REFERENCES parents (id), note TEXT) STRICT;");
        EXPECT_TRUE(made);
    }

    std::unique_ptr<SqliteConnection> open() {
        auto connection = SqliteConnection::open(folder_.path() / "test.db");
        EXPECT_TRUE(connection);
        return *std::move(connection);
    }
    Result<std::int64_t> insert(std::int64_t id, Value name) {
        return store_->execute("INSERT INTO things (id, name) VALUES ($1, $2)",
                               {id, std::move(name)});
    }
    std::int64_t count(Connection& connection) {
        const auto rows = connection.query("SELECT COUNT(*) FROM things");
        EXPECT_TRUE(rows);
        return rows ? rows->front().integer(0) : -1;
    }

    test::TemporaryFolder folder_;
    std::atomic<bool> is_stopping_{false};
    std::unique_ptr<SqliteConnection> store_;
};

TEST_F(SqliteConnectionTest, GivesBackWhatItWasGiven) {
    const std::string text("nul \0, quote ', \xE2\x82\xAC", 17);
    ASSERT_TRUE(store_->execute("INSERT INTO things (id, name, note) VALUES ($1, $2, $3)",
                                {INT64_MIN, text, std::monostate()}));

    const auto rows = store_->query("SELECT id, name, note FROM things");

    ASSERT_TRUE(rows);
    ASSERT_EQ(rows->size(), 1u);
    EXPECT_EQ(rows->front().integer(0), INT64_MIN);
    EXPECT_EQ(rows->front().text(1), text);
    EXPECT_TRUE(rows->front().is_null(2));
    EXPECT_EQ(rows->front().text(2), "");
    EXPECT_EQ(rows->front().integer(1), 0);
}

TEST_F(SqliteConnectionTest, AnEmptyTextIsNotNull) {
    ASSERT_TRUE(insert(1, std::string()));

    const auto rows = store_->query("SELECT name FROM things");

    ASSERT_TRUE(rows);
    EXPECT_FALSE(rows->front().is_null(0));
}

TEST_F(SqliteConnectionTest, CountsTheRowsThatChanged) {
    ASSERT_TRUE(insert(1, "a"));
    ASSERT_TRUE(insert(2, "b"));

    const auto changed = store_->execute("UPDATE things SET note = $1", {std::string("x")});
    const auto none = store_->execute("DELETE FROM things WHERE id = $1", {std::int64_t{9}});

    ASSERT_TRUE(changed);
    EXPECT_EQ(*changed, 2);
    ASSERT_TRUE(none);
    EXPECT_EQ(*none, 0);
}

TEST_F(SqliteConnectionTest, ParametersAreNumberedAndMayRepeat) {
    const auto rows =
        store_->query("SELECT $2, $1, $2", {std::string("first"), std::string("second")});

    ASSERT_TRUE(rows);
    EXPECT_EQ(rows->front().text(0), "second");
    EXPECT_EQ(rows->front().text(1), "first");
    EXPECT_EQ(rows->front().text(2), "second");
}

TEST_F(SqliteConnectionTest, ARowThatNamesWhatIsNotThereIsNotFound) {
    const auto orphan = store_->execute("INSERT INTO things (id, parent) VALUES (1, 99)");

    ASSERT_FALSE(orphan);
    EXPECT_EQ(orphan.error().code(), ErrorCode::kNotFound);
}

TEST_F(SqliteConnectionTest, ATakenUniqueKeyIsAlreadyExists) {
    ASSERT_TRUE(insert(1, "a"));

    const auto same_id = insert(1, "b");
    const auto same_name = insert(2, "a");

    ASSERT_FALSE(same_id);
    EXPECT_EQ(same_id.error().code(), ErrorCode::kAlreadyExists);
    ASSERT_FALSE(same_name);
    EXPECT_EQ(same_name.error().code(), ErrorCode::kAlreadyExists);
}

TEST_F(SqliteConnectionTest, OtherFailuresAreStorageUnavailable) {
    struct Row {
        std::string_view name;
        std::string_view sql;
    };
    for (const Row& row : {
             Row{"syntax", "SELEKT 1"},
             Row{"no table", "INSERT INTO nothing VALUES (1)"},
             Row{"strict type", "INSERT INTO things (id, name) VALUES ('x', 'y')"},
         }) {
        const auto done = store_->execute(row.sql);

        ASSERT_FALSE(done) << row.name;
        EXPECT_EQ(done.error().code(), ErrorCode::kStorageUnavailable) << row.name;
    }
}

TEST_F(SqliteConnectionTest, AStatementWorksAgainAfterAFailure) {
    ASSERT_TRUE(insert(1, "a"));
    EXPECT_FALSE(insert(1, "a"));

    EXPECT_TRUE(insert(2, "b"));
    EXPECT_EQ(count(*store_), 2);
}

TEST_F(SqliteConnectionTest, KeepsWhatWasCommittedForTheNextConnection) {
    ASSERT_TRUE(insert(1, "a"));
    store_.reset();

    const auto again = open();

    EXPECT_EQ(count(*again), 1);
}

TEST_F(SqliteConnectionTest, SaysWhichFileCannotBeOpened) {
    for (const std::string& path :
         {(folder_.path() / "no" / "such.db").string(), folder_.path().string()}) {
        const auto connection = SqliteConnection::open(path);

        ASSERT_FALSE(connection) << path;
        EXPECT_EQ(connection.error().code(), ErrorCode::kStorageUnavailable);
        EXPECT_NE(connection.error().message().find(path), std::string::npos);
    }
}

TEST_F(SqliteConnectionTest, ATransactionThatFailsLeavesNothing) {
    auto work = [&](Connection&) -> Result<int> {
        EXPECT_TRUE(insert(1, "a"));
        return Error(ErrorCode::kInsufficientQuota, "changed my mind");
    };

    const auto done = in_transaction(*store_, true, work);

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), ErrorCode::kInsufficientQuota);
    EXPECT_EQ(count(*store_), 0);
}

TEST_F(SqliteConnectionTest, ATransactionThatSucceedsStaysAndGivesItsValue) {
    auto work = [&](Connection&) -> Result<int> {
        EXPECT_TRUE(insert(1, "a"));
        return 5;
    };

    const auto done = in_transaction(*store_, true, work);

    ASSERT_TRUE(done);
    EXPECT_EQ(*done, 5);
    EXPECT_EQ(count(*open()), 1);
}

TEST_F(SqliteConnectionTest, ATransactionShowsNothingOutsideBeforeItsEnd) {
    const auto other = open();
    auto work = [&](Connection&) -> Result<void> {
        EXPECT_TRUE(insert(1, "a"));
        EXPECT_EQ(count(*other), 0);
        return {};
    };

    EXPECT_TRUE(in_transaction(*store_, true, work));
    EXPECT_EQ(count(*other), 1);
}

TEST_F(SqliteConnectionTest, AReadingTransactionSeesOneState) {
    const auto other = open();
    auto work = [&](Connection&) -> Result<void> {
        EXPECT_EQ(count(*other), 0);
        EXPECT_TRUE(insert(1, "a"));
        EXPECT_EQ(count(*other), 0);
        return {};
    };

    EXPECT_TRUE(in_transaction(*other, false, work));
    EXPECT_EQ(count(*other), 1);
}

TEST_F(SqliteConnectionTest, ACommitThatFailsRollsBack) {
    auto work = [&](Connection& connection) -> Result<void> {
        EXPECT_TRUE(connection.execute("PRAGMA defer_foreign_keys=ON"));
        EXPECT_TRUE(connection.execute("INSERT INTO things (id, parent) VALUES (1, 99)"));
        return {};
    };

    const auto done = in_transaction(*store_, true, work);

    EXPECT_FALSE(done);
    EXPECT_EQ(count(*store_), 0);
    EXPECT_TRUE(insert(2, "b"));
}

TEST_F(SqliteConnectionTest, ALongStatementEndsWhenItsOwnerStops) {
    store_->stop_when(is_stopping_);
    std::thread stopper([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        is_stopping_ = true;
    });

    const auto rows = store_->query(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
        "LIMIT 500000000) SELECT COUNT(*) FROM numbers");

    stopper.join();
    ASSERT_FALSE(rows);
    EXPECT_EQ(rows.error().code(), ErrorCode::kShuttingDown);
}

}  // namespace
}  // namespace quire::storage
