#include "storage/outbox_page.hpp"

#include "storage/outbox.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

namespace quire::storage {
namespace {

constexpr std::string_view kType = "quire.test.priced.v1";

class OutboxPageTest : public testing::Test {
protected:
    OutboxPageTest() {
        EXPECT_TRUE(database_->writer().run_script(std::string(kOutboxTable)));
        message_.set_amount(7);
        message_.set_estimated(true);
    }

    void append(std::string_view type, std::string payload) {
        OutboxRow row;
        row.event_id = fmt::format("evt_{}", ++count_);
        row.type = type;
        row.subject = "req_1";
        row.payload = std::move(payload);
        row.traceparent = "00-x";
        row.created_at = {5};
        EXPECT_TRUE(append_event(database_->writer(), row));
    }
    Result<common::v1::OutboxPage> read(bool is_binary, std::int32_t limit = 0) {
        common::v1::ReadOutboxRequest request;
        request.set_binary(is_binary);
        request.set_limit(limit);
        return test::run(read_outbox_page(*database_, request, types_));
    }

    test::TemporaryFolder folder_;
    std::unique_ptr<Database> database_ =
        *Database::open_sqlite(folder_.path() / "test.db", PoolSizes());
    const EventTypes types_{{kType, &common::v1::Cost::default_instance()}};
    common::v1::Cost message_;
    int count_ = 0;
};

TEST_F(OutboxPageTest, GivesJsonToWhoeverAsks) {
    append(kType, message_.SerializeAsString());

    const auto page = read(false);

    ASSERT_TRUE(page);
    ASSERT_EQ(page->events_size(), 1);
    const common::v1::OutboxEvent& event = page->events(0);
    EXPECT_EQ(event.data_json(), R"({"amount":"7","estimated":true})");
    EXPECT_EQ(event.data(), "");
    EXPECT_EQ(event.sequence(), 1);
    EXPECT_EQ(event.id(), "evt_1");
    EXPECT_EQ(event.type(), kType);
    EXPECT_EQ(event.subject(), "req_1");
    EXPECT_EQ(event.time_us(), 5);
    EXPECT_EQ(event.traceparent(), "00-x");
}

TEST_F(OutboxPageTest, GivesTheMessageItselfToWhoeverKnowsIt) {
    append(kType, message_.SerializeAsString());

    const auto page = read(true);

    ASSERT_TRUE(page);
    EXPECT_EQ(page->events(0).data(), message_.SerializeAsString());
    EXPECT_EQ(page->events(0).data_json(), "");
}

TEST_F(OutboxPageTest, PassesOnTheJsonThatAnEarlierVersionWrote) {
    append(kType, R"({"amount":"7"})");

    for (const bool is_binary : {false, true}) {
        const auto page = read(is_binary);
        ASSERT_TRUE(page);
        EXPECT_EQ(page->events(0).data_json(), R"({"amount":"7"})");
        EXPECT_EQ(page->events(0).data(), "");
    }
}

TEST_F(OutboxPageTest, SaysWhichEventIsNoMessageOfItsType) {
    append(kType, "\x01");
    append("quire.test.unknown.v1", message_.SerializeAsString());

    const auto first = read(false, 1);

    ASSERT_FALSE(first);
    EXPECT_EQ(first.error().code(), ErrorCode::kStorageUnavailable);
    EXPECT_EQ(first.error().message(), "the outbox holds what is no quire.test.priced.v1: evt_1");
}

}  // namespace
}  // namespace quire::storage
