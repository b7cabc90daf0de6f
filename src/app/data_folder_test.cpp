#include "app/data_folder.hpp"

#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace quire::app {
namespace {

namespace fs = std::filesystem;

mode_t mode_of(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 0777;
}

TEST(DataFolder, MakesTheFolderForItsOwnerAlone) {
    const test::TemporaryFolder folder;
    const fs::path path = folder.path() / "a" / "b";

    const auto locked = DataFolder::lock(path);

    ASSERT_TRUE(locked);
    EXPECT_EQ((*locked)->path(), path);
    EXPECT_EQ(mode_of(path), 0700u);
    EXPECT_EQ(mode_of(path / "quire.lock"), 0600u);
}

TEST(DataFolder, AFolderThatWasThereKeepsItsMode) {
    const test::TemporaryFolder folder;
    ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);

    ASSERT_TRUE(DataFolder::lock(folder.path()));

    EXPECT_EQ(mode_of(folder.path()), 0755u);
}

TEST(DataFolder, TheSecondIsToldWhoHasIt) {
    const test::TemporaryFolder folder;
    const auto first = DataFolder::lock(folder.path());
    ASSERT_TRUE(first);

    const auto second = DataFolder::lock(folder.path());

    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::kStorageUnavailable);
    EXPECT_EQ(second.error().detail(DataFolder::kHolder), std::to_string(getpid()));
    const std::string& message = second.error().message();
    EXPECT_NE(message.find("process " + std::to_string(getpid()) + ";"), std::string::npos)
        << message;
    EXPECT_NE(message.find(folder.path().string()), std::string::npos) << message;
    EXPECT_NE(message.find("--data"), std::string::npos) << message;
}

TEST(DataFolder, IsFreeAgainWhenItsHolderIsGone) {
    const test::TemporaryFolder folder;
    {
        const auto first = DataFolder::lock(folder.path());
        ASSERT_TRUE(first);
    }

    EXPECT_TRUE(DataFolder::lock(folder.path()));
}

TEST(DataFolder, WhatADeadProcessLeftIsNoLock) {
    const test::TemporaryFolder folder;
    std::ofstream(folder.path() / "quire.lock") << "123456789012345678901234567890";
    const auto first = DataFolder::lock(folder.path());
    ASSERT_TRUE(first);

    const auto second = DataFolder::lock(folder.path());

    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message().find(" " + std::to_string(getpid()) + ";"),
              std::string::npos)
        << second.error().message();
}

TEST(DataFolder, KnowsWhenItIsRemovedMovedOrReplaced) {
    const test::TemporaryFolder folder;
    const fs::path path = folder.path() / "data";
    const auto moved = DataFolder::lock(path);
    ASSERT_TRUE(moved);
    EXPECT_TRUE((*moved)->is_there());

    fs::rename(path, folder.path() / "elsewhere");
    EXPECT_FALSE((*moved)->is_there());

    const auto second = DataFolder::lock(path);
    ASSERT_TRUE(second);
    EXPECT_FALSE((*moved)->is_there());
    EXPECT_TRUE((*second)->is_there());

    fs::remove_all(path);
    EXPECT_FALSE((*second)->is_there());
}

TEST(DataFolder, SaysWhereItCannotBeMade) {
    const test::TemporaryFolder folder;
    std::ofstream(folder.path() / "file") << "x";
    for (const fs::path& path : {folder.path() / "file", folder.path() / "file" / "below"}) {
        const auto locked = DataFolder::lock(path);

        ASSERT_FALSE(locked);
        EXPECT_EQ(locked.error().code(), ErrorCode::kStorageUnavailable);
        EXPECT_NE(locked.error().message().find(path.string()), std::string::npos)
            << locked.error().message();
    }
}

TEST(DefaultDataFolder, FollowsTheXdgVariableElseTheHome) {
    using config::Environment;

    EXPECT_EQ(default_data_folder(Environment{{"XDG_DATA_HOME", "/x"}, {"HOME", "/home/a"}}),
              "/x/quire");
    EXPECT_EQ(default_data_folder(Environment{{"XDG_DATA_HOME", ""}, {"HOME", "/home/a"}}),
              "/home/a/.local/share/quire");
    EXPECT_EQ(default_data_folder(Environment{{"HOME", "/home/a"}}), "/home/a/.local/share/quire");
    EXPECT_EQ(default_data_folder(Environment{}), "./.local/share/quire");
}

}  // namespace
}  // namespace quire::app
