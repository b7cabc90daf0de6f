#include "tests/sim/simulated_disk.hpp"

#include <gtest/gtest.h>

namespace quire::sim {
namespace {

constexpr int kCrashes = 200;

class SimulatedDiskTest : public testing::Test {
protected:
    void write_synced(const std::string& bytes) {
        ASSERT_EQ(disk_.create("a", FileKind::kDatabase), DiskStatus::kDone);
        ASSERT_EQ(disk_.write("a", 0, bytes), DiskStatus::kDone);
        ASSERT_EQ(disk_.sync("a"), DiskStatus::kDone);
    }
    CrashLosses crash() {
        disk_.cut_power();
        return disk_.revive();
    }

    SeededRng rng_{1};
    SimulatedDisk disk_{rng_};
};

TEST_F(SimulatedDiskTest, KeepsWhatWasSynced) {
    write_synced("hello");

    for (int i = 0; i < kCrashes; ++i) crash();

    ASSERT_NE(disk_.find("a"), nullptr);
    EXPECT_EQ(*disk_.find("a"), "hello");
}

TEST_F(SimulatedDiskTest, AnUnsyncedWriteIsKeptLostOrTornBetweenSectors) {
    const std::string before(2048, 'a');
    const std::string after(2048, 'b');
    CrashLosses losses;
    int mixed = 0;
    for (int i = 0; i < kCrashes; ++i) {
        write_synced(before);
        ASSERT_EQ(disk_.write("a", 0, after), DiskStatus::kDone);

        const CrashLosses lost = crash();

        const std::string& found = *disk_.find("a");
        for (std::size_t from = 0; from < found.size(); from += SimulatedDisk::kSectorBytes) {
            const std::string sector = found.substr(from, SimulatedDisk::kSectorBytes);
            ASSERT_EQ(sector, std::string(SimulatedDisk::kSectorBytes, sector[0]));
        }
        mixed += found != before && found != after;
        losses.kept += lost.kept;
        losses.lost += lost.lost;
        losses.torn += lost.torn;
    }
    EXPECT_GT(losses.kept, 0u);
    EXPECT_GT(losses.lost, 0u);
    EXPECT_GT(losses.torn, 0u);
    EXPECT_GT(mixed, 0);
}

TEST_F(SimulatedDiskTest, UnsyncedTruncationsAndNamesMayBeUndone) {
    int sizes_kept = 0, made_lost = 0, deleted_back = 0;
    for (int i = 0; i < kCrashes; ++i) {
        write_synced("hello");
        ASSERT_EQ(disk_.truncate("a", 1), DiskStatus::kDone);
        ASSERT_EQ(disk_.create("new", FileKind::kWal), DiskStatus::kDone);
        crash();
        sizes_kept += disk_.find("a")->size() == 5;
        made_lost += disk_.find("new") == nullptr;
        if (disk_.find("new") != nullptr) {
            ASSERT_EQ(disk_.remove("new", true), DiskStatus::kDone);
        }
        ASSERT_EQ(disk_.remove("a", false), DiskStatus::kDone);
        crash();
        deleted_back += disk_.find("a") != nullptr;
    }
    for (const int times : {sizes_kept, made_lost, deleted_back}) {
        EXPECT_GT(times, 0);
        EXPECT_LT(times, kCrashes);
    }
}

TEST_F(SimulatedDiskTest, ASyncedDeletionStays) {
    write_synced("hello");
    ASSERT_EQ(disk_.remove("a", true), DiskStatus::kDone);

    for (int i = 0; i < kCrashes; ++i) crash();

    EXPECT_EQ(disk_.find("a"), nullptr);
}

TEST_F(SimulatedDiskTest, ASyncOfTheFolderMakesNamesSafe) {
    write_synced("hello");
    ASSERT_EQ(disk_.create("new", FileKind::kWal), DiskStatus::kDone);
    ASSERT_EQ(disk_.remove("a", false), DiskStatus::kDone);
    ASSERT_EQ(disk_.sync_folder(FileKind::kWal), DiskStatus::kDone);

    for (int i = 0; i < kCrashes; ++i) crash();

    EXPECT_EQ(disk_.find("a"), nullptr);
    EXPECT_NE(disk_.find("new"), nullptr);
}

TEST_F(SimulatedDiskTest, ThePowerGoesAtThePlannedOperation) {
    write_synced("hello");
    disk_.cut_power_in(2);

    EXPECT_EQ(disk_.write("a", 0, "x"), DiskStatus::kDone);
    EXPECT_EQ(disk_.sync("a"), DiskStatus::kDown);
    EXPECT_EQ(disk_.write("a", 0, "y"), DiskStatus::kDown);

    ASSERT_TRUE(disk_.point_of_cut());
    EXPECT_EQ(to_text(*disk_.point_of_cut()), "sync database");
    disk_.revive();
    EXPECT_EQ(disk_.write("a", 0, "y"), DiskStatus::kDone);
}

TEST_F(SimulatedDiskTest, AFailedSyncLosesChangesThatALaterOneDoesNotSave) {
    int lost = 0;
    for (int i = 0; i < kCrashes; ++i) {
        write_synced("a");
        ASSERT_EQ(disk_.write("a", 0, "b"), DiskStatus::kDone);
        disk_.fail_next_sync();
        ASSERT_EQ(disk_.sync("a"), DiskStatus::kSyncFailed);
        ASSERT_EQ(*disk_.find("a"), "b");
        ASSERT_EQ(disk_.sync("a"), DiskStatus::kDone);

        crash();

        lost += *disk_.find("a") == "a";
    }
    EXPECT_GT(lost, 0);
    EXPECT_LT(lost, kCrashes);
}

TEST_F(SimulatedDiskTest, AFullDiskTakesNoGrowth) {
    write_synced("hello");
    disk_.limit_growth(2);

    EXPECT_EQ(disk_.write("a", 0, "HELLO!!"), DiskStatus::kDone);
    EXPECT_EQ(disk_.write("a", 7, "!"), DiskStatus::kFull);
    EXPECT_EQ(disk_.write("a", 0, "h"), DiskStatus::kDone);
    disk_.calm();
    EXPECT_EQ(disk_.write("a", 7, "!"), DiskStatus::kDone);
}

}  // namespace
}  // namespace quire::sim
