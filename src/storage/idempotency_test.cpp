#include "storage/idempotency.hpp"

#include "storage/sqlite_connection.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

namespace quire::storage {
namespace {

using namespace std::chrono_literals;

constexpr Timestamp kNow{1'800'000'000'000'000};

class IdempotencyTest : public testing::Test {
protected:
    IdempotencyTest() {
        auto opened = SqliteConnection::open(folder_.path() / "test.db");
        EXPECT_TRUE(opened);
        store_ = *std::move(opened);
        EXPECT_TRUE(store_->run_script(std::string(kIdempotencyTable)));
    }

    static IdempotentCall call(std::string key, std::string hash = "h") {
        return {"org_1", "prj_1", std::move(key), std::move(hash)};
    }
    void keep(const IdempotentCall& call, std::string answer, Timestamp at = kNow) {
        EXPECT_TRUE(keep_first_answer(*store_, call, std::move(answer), at));
    }
    /// "" for a first call.
    std::string first(const IdempotentCall& call, Timestamp at = kNow) {
        const auto found = find_first_answer(*store_, call, at);
        EXPECT_TRUE(found);
        return found ? found->value_or("") : "error";
    }
    std::int64_t kept() {
        const auto rows = store_->query("SELECT COUNT(*) FROM idempotency_keys", {});
        EXPECT_TRUE(rows);
        return rows ? rows->front().integer(0) : -1;
    }

    test::TemporaryFolder folder_;
    std::unique_ptr<SqliteConnection> store_;
};

TEST_F(IdempotencyTest, ARepeatFindsTheFirstAnswer) {
    EXPECT_EQ(first(call("k")), "");

    keep(call("k", std::string("\0\xff", 2)), std::string("a\0b", 3));

    EXPECT_EQ(first(call("k", std::string("\0\xff", 2))), std::string("a\0b", 3));
    EXPECT_EQ(first(call("other")), "");
}

TEST_F(IdempotencyTest, AnotherRequestWithTheKeyIsRefused) {
    keep(call("k"), "a");

    const auto reused = find_first_answer(*store_, call("k", "another"), kNow);

    ASSERT_FALSE(reused);
    EXPECT_EQ(reused.error().code(), ErrorCode::kIdempotencyKeyReused);
}

TEST_F(IdempotencyTest, EachProjectHasItsOwnKeys) {
    keep(call("k"), "a");

    EXPECT_EQ(first({"org_1", "prj_2", "k", "h"}), "");
    EXPECT_EQ(first({"org_2", "prj_1", "k", "h"}), "");
}

TEST_F(IdempotencyTest, ACallWithoutAKeyIsNeverARepeat) {
    keep(call(""), "a");

    EXPECT_EQ(first(call("")), "");
    EXPECT_EQ(kept(), 0);
}

TEST_F(IdempotencyTest, AKeyLivesForADayAndMayThenBeUsedAgain) {
    keep(call("k"), "a");

    EXPECT_EQ(first(call("k"), kNow + 24h - 1us), "a");
    EXPECT_EQ(first(call("k", "another"), kNow + 24h), "");

    keep(call("k", "another"), "b", kNow + 24h);
    EXPECT_EQ(first(call("k", "another"), kNow + 24h), "b");
}

TEST_F(IdempotencyTest, KeysWhoseDayIsOverAreForgotten) {
    for (int i = 0; i < 150; ++i) keep(call(fmt::format("k{}", i)), "a");
    EXPECT_EQ(kept(), 150);

    keep(call("later"), "a", kNow + 24h);
    keep(call("latest"), "a", kNow + 24h);

    EXPECT_EQ(kept(), 2);
}

}  // namespace
}  // namespace quire::storage
