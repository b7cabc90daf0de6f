#include "storage/migrations.hpp"

#include "storage/sqlite_connection.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <array>

namespace quire::storage {
namespace {

constexpr Migration kFirst{1, "0001_things", "CREATE TABLE things (id INTEGER) STRICT;"};
constexpr Migration kSecond{2, "0002_names",
                            "ALTER TABLE things ADD COLUMN name TEXT;"
                            "INSERT INTO things VALUES (1, 'a');"};
constexpr std::array kOne{kFirst};
constexpr std::array kTwo{kFirst, kSecond};

class MigrationsTest : public testing::Test {
protected:
    MigrationsTest() {
        auto opened = SqliteConnection::open(folder_.path() / "test.db");
        EXPECT_TRUE(opened);
        store_ = *std::move(opened);
    }

    Result<void> bring_to(std::span<const Migration> migrations) {
        return migrate(*store_, migrations, "test.db", clock_);
    }
    std::vector<Row> rows(std::string_view sql) {
        auto found = store_->query(sql);
        EXPECT_TRUE(found) << sql;
        return found ? *std::move(found) : std::vector<Row>();
    }
    void expect_refused(const Result<void>& done, std::string_view a, std::string_view b) {
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code(), ErrorCode::kStorageUnavailable);
        EXPECT_NE(done.error().message().find(a), std::string::npos) << done.error().message();
        EXPECT_NE(done.error().message().find(b), std::string::npos) << done.error().message();
    }

    test::TemporaryFolder folder_;
    ManualClock clock_;
    std::unique_ptr<SqliteConnection> store_;
};

TEST_F(MigrationsTest, ApplyEveryStepAndNoteIt) {
    ASSERT_TRUE(bring_to(kTwo));

    EXPECT_EQ(rows("SELECT name FROM things").front().text(0), "a");
    const auto notes = rows("SELECT version, name, applied_at FROM schema_migrations");
    ASSERT_EQ(notes.size(), 2u);
    EXPECT_EQ(notes[1].integer(0), 2);
    EXPECT_EQ(notes[1].text(1), "0002_names");
    EXPECT_EQ(notes[1].integer(2), clock_.now().micros);
}

TEST_F(MigrationsTest, AreAppliedOnceOnly) {
    ASSERT_TRUE(bring_to(kTwo));

    ASSERT_TRUE(bring_to(kTwo));

    EXPECT_EQ(rows("SELECT * FROM things").size(), 1u);
}

TEST_F(MigrationsTest, ApplyOnlyWhatIsNew) {
    ASSERT_TRUE(bring_to(kOne));
    ASSERT_TRUE(store_->execute("INSERT INTO things VALUES (7)"));

    ASSERT_TRUE(bring_to(kTwo));

    EXPECT_EQ(rows("SELECT id FROM things").size(), 2u);
}

TEST_F(MigrationsTest, RefuseANewerStoreNamingBothVersions) {
    ASSERT_TRUE(bring_to(kTwo));

    expect_refused(bring_to(kOne), "schema version 2", "knows up to 1");
}

TEST_F(MigrationsTest, RefuseAStepThatWasEditedSince) {
    ASSERT_TRUE(bring_to(kTwo));
    constexpr std::array kEdited{
        Migration{1, "0001_things", "CREATE TABLE things (id INTEGER, x TEXT) STRICT;"}, kSecond};

    expect_refused(bring_to(kEdited), "test.db", "migration 1");
}

TEST_F(MigrationsTest, RefuseAStoreThatNeverRanAStepBeforeItsLast) {
    constexpr std::array kLaterOnly{kSecond};
    ASSERT_TRUE(store_->run_script("CREATE TABLE things (id INTEGER) STRICT"));
    ASSERT_TRUE(bring_to(kLaterOnly));

    expect_refused(bring_to(kTwo), "test.db", "never ran migration 1");
}

TEST_F(MigrationsTest, ACheckWantsTheNewestAndChangesNothing) {
    expect_refused(check_migrated(*store_, kOne, "test.db"), "schema version 0", "program's is 1");
    ASSERT_TRUE(bring_to(kOne));

    EXPECT_TRUE(check_migrated(*store_, kOne, "test.db"));
    expect_refused(check_migrated(*store_, kTwo, "test.db"), "schema version 1", "program's is 2");

    EXPECT_EQ(rows("SELECT * FROM schema_migrations").size(), 1u);
    ASSERT_TRUE(bring_to(kTwo));
    expect_refused(check_migrated(*store_, kOne, "test.db"), "schema version 2", "knows up to 1");
}

TEST_F(MigrationsTest, AFailingStepLeavesTheStoreAsItWas) {
    ASSERT_TRUE(bring_to(kOne));
    constexpr std::array kBroken{
        kFirst, Migration{2, "0002_broken", "ALTER TABLE things ADD COLUMN a TEXT; NONSENSE;"}};

    expect_refused(bring_to(kBroken), "test.db", "0002_broken");

    EXPECT_EQ(rows("SELECT * FROM schema_migrations").size(), 1u);
    EXPECT_TRUE(bring_to(kTwo));
}

}  // namespace
}  // namespace quire::storage
