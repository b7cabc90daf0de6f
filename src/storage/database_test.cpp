#include "storage/database.hpp"

#include "runtime/event_loops.hpp"
#include "runtime/task_group.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace quire::storage {
namespace {

Result<std::int64_t> read_count(Connection& connection) {
    QUIRE_TRY(const auto rows, connection.query("SELECT n FROM counter"));
    return rows.front().integer(0);
}

/// Read, then write: would lose additions if two ran at once.
Result<std::int64_t> add_one(Connection& connection) {
    QUIRE_TRY(const std::int64_t count, read_count(connection));
    QUIRE_TRY([[maybe_unused]] const auto set,
              connection.execute("UPDATE counter SET n = $1", {count + 1}));
    return count + 1;
}

awaitable<void> add_many(Database& database, int times, std::atomic<int>& failures) {
    for (int i = 0; i < times; ++i) {
        const auto added = co_await database.write(add_one);
        if (!added) ++failures;
        const auto count = co_await database.read(read_count);
        if (!count || !added || *count < *added) ++failures;
    }
}

awaitable<void> read_at_gate(Database& database, std::latch& gate, std::string& outcome) {
    auto wait = [&gate](Connection&) -> Result<int> {
        gate.wait();
        return 1;
    };
    const auto done = co_await database.read(wait);
    outcome = done ? "done" : std::string(done.error().name());
}

class DatabaseTest : public testing::Test {
protected:
    std::unique_ptr<Database> open(PoolSizes sizes = {}) {
        auto database = Database::open_sqlite(folder_.path() / "test.db", sizes);
        EXPECT_TRUE(database);
        EXPECT_TRUE((*database)->writer().run_script(
            "CREATE TABLE IF NOT EXISTS counter (n INTEGER) STRICT; DELETE FROM counter;"
            "INSERT INTO counter VALUES (0)"));
        return *std::move(database);
    }

    test::TemporaryFolder folder_;
    runtime::EventLoops loops_{3};
};

TEST_F(DatabaseTest, WritesOneAfterTheOtherFromSeveralLoops) {
    const auto database = open();
    runtime::TaskGroup tasks;
    std::atomic<int> failures{0};
    for (int i = 0; i < 6; ++i) {
        tasks.spawn(loops_.next().get_executor(), "adder", add_many(*database, 20, failures));
    }

    tasks.join_blocking();

    EXPECT_EQ(failures, 0);
    const auto count = test::run_on(loops_.loop(0), database->read(read_count));
    ASSERT_TRUE(count);
    EXPECT_EQ(*count, 120);
}

TEST_F(DatabaseTest, RollsBackWhatFails) {
    const auto database = open();
    auto fail = [](Connection& connection) -> Result<int> {
        EXPECT_TRUE(add_one(connection));
        return Error(ErrorCode::kNotFound, "changed my mind");
    };

    const auto written = test::run_on(loops_.loop(0), database->write(fail));

    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code(), ErrorCode::kNotFound);
    const auto count = test::run_on(loops_.loop(0), database->read(read_count));
    ASSERT_TRUE(count);
    EXPECT_EQ(*count, 0);
}

TEST_F(DatabaseTest, ReadsWhileAWriteIsUnderWay) {
    asio::io_context loop(1);
    const auto database = open();
    std::latch has_written(1);
    std::latch has_read(1);
    auto write = [&](Connection& connection) -> Result<int> {
        EXPECT_TRUE(add_one(connection));
        has_written.count_down();
        has_read.wait();
        return 1;
    };
    bool is_written = false;
    asio::co_spawn(
        loop, database->write(write),
        [&](const std::exception_ptr&, const Result<int>& done) { is_written = done.has_value(); });
    loop.poll();
    has_written.wait();

    const auto count = test::run_on(loops_.loop(0), database->read(read_count));
    has_read.count_down();
    loop.run_for(std::chrono::seconds(5));

    ASSERT_TRUE(count);
    EXPECT_EQ(*count, 0);
    EXPECT_TRUE(is_written);
}

TEST_F(DatabaseTest, RefusesMoreWorkThanMayWait) {
    asio::io_context loop(1);
    const auto database = open({1, 1});
    runtime::TaskGroup tasks;
    std::latch gate(1);
    std::array<std::string, 3> outcomes;
    for (std::string& outcome : outcomes) {
        tasks.spawn(loop.get_executor(), "reader", read_at_gate(*database, gate, outcome));
    }
    loop.poll();

    EXPECT_EQ(outcomes[2], "overloaded");
    gate.count_down();
    loop.run_for(std::chrono::seconds(5));
    EXPECT_EQ(outcomes[0], "done");
    EXPECT_EQ(outcomes[1], "done");
}

TEST_F(DatabaseTest, WritesBlockingBeforeTheLoopsServe) {
    const auto database = open();

    const auto count = database->write_blocking(add_one);

    ASSERT_TRUE(count);
    EXPECT_EQ(*count, 1);
}

TEST_F(DatabaseTest, SaysThatAFileCannotBeOpened) {
    const auto database = Database::open_sqlite(folder_.path() / "no" / "such.db", {});

    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code(), ErrorCode::kStorageUnavailable);
}

}  // namespace
}  // namespace quire::storage
