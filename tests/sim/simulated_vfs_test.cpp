#include "tests/sim/simulated_vfs.hpp"

#include "storage/sqlite_connection.hpp"

#include <gtest/gtest.h>

namespace quire::sim {
namespace {

using storage::SqliteConnection;

constexpr int kCrashes = 250;

struct Losses {
    int acknowledged = 0;
    int lost = 0;  ///< crashes after which something acknowledged was missing
    CrashLosses writes;
};

/// A counter in a database: each commit adds one. Crashes come at any operation of the disk.
class Counter {
public:
    Counter(std::uint64_t seed, std::string synchronous)
        : rng_(seed), synchronous_(std::move(synchronous)) {}

    /// Opens, reads, commits until the power goes, and says whether the last read was behind.
    void run_to_crash(Losses& losses) {
        disk_.cut_power_in(1 + rng_.next_below(60));
        auto store = SqliteConnection::open("counter.db", vfs_.name());
        if (store && prepare(**store)) {
            while (add_one(**store)) ++losses.acknowledged;
        }
        if (store) store->reset();
        disk_.cut_power();
        const CrashLosses lost = disk_.revive();
        losses.writes.lost += lost.lost;
        losses.writes.torn += lost.torn;
        losses.lost += read_again() ? 0 : 1;
    }

private:
    bool prepare(SqliteConnection& store) {
        const auto made = store.run_script(
            "PRAGMA synchronous=" + synchronous_ +
            "; PRAGMA wal_autocheckpoint=8;"
            "CREATE TABLE IF NOT EXISTS counts (n INTEGER PRIMARY KEY, padding TEXT);");
        return made.has_value();
    }
    bool add_one(SqliteConnection& store) {
        const auto added =
            store.execute("INSERT INTO counts VALUES ($1, $2)", {last_ + 1, std::string(700, 'x')});
        if (!added) return false;
        ++last_;
        return true;
    }
    /// False when less is there than was acknowledged. One commit more may have survived.
    bool read_again() {
        auto store = SqliteConnection::open("counter.db", vfs_.name());
        EXPECT_TRUE(store && prepare(**store));
        const auto rows = (*store)->query("SELECT COUNT(*), COALESCE(MAX(n), 0) FROM counts");
        EXPECT_TRUE(rows);
        const auto checked = (*store)->query("PRAGMA integrity_check");
        EXPECT_TRUE(checked && checked->front().text(0) == "ok");
        const std::int64_t there = rows->front().integer(0);
        EXPECT_EQ(there, rows->front().integer(1));
        EXPECT_LE(there, last_ + 1);
        const bool is_complete = there >= last_;
        last_ = there;
        return is_complete;
    }

    SeededRng rng_;
    ManualClock clock_;
    SimulatedDisk disk_{rng_};
    SimulatedVfs vfs_{disk_, clock_, rng_};
    std::string synchronous_;
    std::int64_t last_ = 0;
};

Losses crash_often(const std::string& synchronous) {
    Counter counter(7, synchronous);
    Losses losses;
    for (int i = 0; i < kCrashes; ++i) counter.run_to_crash(losses);
    EXPECT_GT(losses.acknowledged, 2 * kCrashes);
    return losses;
}

TEST(SimulatedVfs, NothingAcknowledgedIsLostWhenSqliteSyncsEachCommit) {
    const Losses losses = crash_often("FULL");

    EXPECT_EQ(losses.lost, 0);
    EXPECT_GT(losses.writes.lost, 100u);
    EXPECT_GT(losses.writes.torn, 100u);
}

TEST(SimulatedVfs, AcknowledgedCommitsAreLostWhenItDoesNotSoTheDiskIsNotBlind) {
    const Losses losses = crash_often("NORMAL");

    EXPECT_GT(losses.lost, kCrashes / 10);
}

TEST(SimulatedVfs, TheSameSeedDoesTheSame) {
    const Losses first = crash_often("FULL");
    const Losses second = crash_often("FULL");

    EXPECT_EQ(first.acknowledged, second.acknowledged);
    EXPECT_EQ(first.writes.lost, second.writes.lost);
    EXPECT_EQ(first.writes.torn, second.writes.torn);
}

TEST(SimulatedVfs, AFullDiskFailsACommitAndNothingElse) {
    SeededRng rng(1);
    ManualClock clock;
    SimulatedDisk disk(rng);
    SimulatedVfs vfs(disk, clock, rng);
    auto store = *SqliteConnection::open("full.db", vfs.name());
    ASSERT_TRUE(store->execute("CREATE TABLE things (name TEXT)"));
    disk.limit_growth(0);

    const auto refused = store->execute("INSERT INTO things VALUES ('a')");

    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("full"), std::string::npos);
    disk.calm();
    EXPECT_TRUE(store->execute("INSERT INTO things VALUES ('b')"));
    EXPECT_EQ((*store->query("SELECT COUNT(*) FROM things"))[0].integer(0), 1);
}

TEST(SimulatedVfs, TwoConnectionsSeeEachOther) {
    SeededRng rng(1);
    ManualClock clock;
    SimulatedDisk disk(rng);
    SimulatedVfs vfs(disk, clock, rng);
    auto writer = *SqliteConnection::open("shared.db", vfs.name());
    auto reader = *SqliteConnection::open("shared.db", vfs.name());
    ASSERT_TRUE(writer->execute("CREATE TABLE things (name TEXT)"));
    ASSERT_TRUE(writer->begin(true));
    ASSERT_TRUE(writer->execute("INSERT INTO things VALUES ('a')"));

    EXPECT_EQ((*reader->query("SELECT COUNT(*) FROM things"))[0].integer(0), 0);
    EXPECT_FALSE(reader->begin(true));
    ASSERT_TRUE(writer->commit());
    EXPECT_EQ((*reader->query("SELECT COUNT(*) FROM things"))[0].integer(0), 1);
}

}  // namespace
}  // namespace quire::sim
