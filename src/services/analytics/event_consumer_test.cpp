#include "services/analytics/event_consumer.hpp"

#include "quire/credits/v1/credits.pb.h"
#include "quire/prompts/v1/prompts.pb.h"
#include "services/analytics/analytics_schema.hpp"
#include "services/analytics/analytics_store.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace quire::analytics {
namespace {

using common::v1::OutboxEvent;

constexpr std::int64_t kDayMicros = std::int64_t{86'400} * 1'000'000;

template <class Message>
std::string json_of(const Message& message) {
    std::string text;
    EXPECT_TRUE(google::protobuf::util::MessageToJsonString(message, &text).ok());
    return text;
}

/// A consumer of a source that the test fills; what it hears may be anything.
class EventConsumerTest : public testing::Test {
protected:
    EventConsumerTest() {
        EXPECT_TRUE(migrate_analytics(database_->writer(), "analytics.db", clock_));
    }

    /// The source's next event: `request` was settled for `cost`.
    OutboxEvent settled(const std::string& request, std::int64_t cost) {
        credits::v1::Settled message;
        message.set_org_id("org_1");
        message.set_project_id("prj_1");
        message.set_key_id("key_1");
        message.set_request_id(request);
        message.mutable_usage()->set_input_tokens(3);
        message.mutable_cost()->set_amount(cost);
        message.mutable_cost()->add_lines()->set_amount(cost);
        message.mutable_outcome()->set_status("completed");
        message.mutable_outcome()->set_model("writer");
        return add("quire.credits.settled.v1", json_of(message));
    }
    OutboxEvent told(const std::string& request, const std::string& status) {
        prompts::v1::GenerationStory message;
        message.set_org_id("org_1");
        message.set_project_id("prj_1");
        message.set_request_id(request);
        message.set_status(status);
        message.set_model("writer");
        message.set_http_status(200);
        message.add_steps()->set_name("admit");
        message.add_review()->set_rule("cards");
        message.mutable_content()->set_output("words");
        return add("quire.prompts.generation_completed.v1", json_of(message));
    }
    OutboxEvent add(const std::string& type, const std::string& data) {
        OutboxEvent event;
        event.set_sequence(next_++);
        event.set_id(fmt::format("evt_{}", event.sequence()));
        event.set_type(type);
        event.set_time_us(5 * kDayMicros);
        event.set_data_json(data);
        outbox_.push_back(event);
        return event;
    }

    /// The source's last event as it comes to whoever asks for messages instead of JSON.
    template <class Message>
    OutboxEvent& make_binary() {
        OutboxEvent& event = outbox_.back();
        Message message;
        EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(event.data_json(), &message).ok());
        event.clear_data_json();
        event.set_data(message.SerializeAsString());
        return event;
    }

    Result<void> handle(const OutboxEvent& event) { return test::run(consumer_.handle(event)); }
    std::int64_t catch_up() {
        const auto count = test::run(consumer_.catch_up());
        EXPECT_TRUE(count);
        return count ? *count : -1;
    }
    /// What the usage by day adds up to.
    std::int64_t total() {
        std::int64_t sum = 0;
        const auto usage = AnalyticsStore(database_->writer()).usage_of(owner_);
        EXPECT_TRUE(usage);
        if (!usage) return -1;
        for (const UsageRow& row : *usage) sum += row.cost;
        return sum;
    }
    std::size_t count_of(const char* table) {
        return database_->writer().query(fmt::format("SELECT 1 FROM {}", table))->size();
    }
    std::optional<RequestRow> row_of(const std::string& request) {
        auto found = AnalyticsStore(database_->writer()).find(owner_, request);
        EXPECT_TRUE(found);
        return found ? *std::move(found) : std::nullopt;
    }

    awaitable<Result<common::v1::OutboxPage>> read(const common::v1::ReadOutboxRequest& request) {
        ++reads_;
        if (source_error_) co_return *source_error_;
        common::v1::OutboxPage page;
        for (const OutboxEvent& event : outbox_) {
            if (event.sequence() <= request.after_sequence()) continue;
            if (page.events_size() == request.limit()) {
                page.set_has_more(true);
                break;
            }
            *page.add_events() = event;
        }
        co_return page;
    }

    test::TemporaryFolder folder_;
    ManualClock clock_;
    Owner owner_{"org_1", "prj_1"};
    std::unique_ptr<storage::Database> database_ =
        *storage::Database::open_sqlite(folder_.path() / "analytics.db", {});
    std::vector<OutboxEvent> outbox_;
    std::int64_t next_ = 1;
    int reads_ = 0;
    std::optional<Error> source_error_;
    EventConsumer consumer_{
        *database_,
        {"/services/test", [this](const auto& request) { return read(request); }},
        clock_};
};

TEST_F(EventConsumerTest, AppliesWhatComesInOrderWithoutAskingTheSource) {
    ASSERT_TRUE(handle(settled("req_1", 10)));
    ASSERT_TRUE(handle(settled("req_2", 20)));

    EXPECT_EQ(total(), 30);
    EXPECT_EQ(reads_, 0);
}

TEST_F(EventConsumerTest, HealsALostEvent) {
    const OutboxEvent first = settled("req_1", 10);
    settled("req_2", 20);
    const OutboxEvent third = settled("req_3", 40);

    ASSERT_TRUE(handle(first));
    ASSERT_TRUE(handle(third));

    EXPECT_EQ(total(), 70);
    EXPECT_EQ(count_of("requests"), 3U);
}

TEST_F(EventConsumerTest, HealsTheLossOfTheLastEventByAsking) {
    const OutboxEvent first = settled("req_1", 10);
    settled("req_2", 20);
    ASSERT_TRUE(handle(first));

    EXPECT_EQ(catch_up(), 1);

    EXPECT_EQ(total(), 30);
}

TEST_F(EventConsumerTest, HealsADoubledEvent) {
    const OutboxEvent first = settled("req_1", 10);
    const OutboxEvent second = settled("req_2", 20);

    for (const OutboxEvent& event : {first, first, second, first, second}) {
        ASSERT_TRUE(handle(event));
    }

    EXPECT_EQ(total(), 30);
    EXPECT_EQ(catch_up(), 0);
    EXPECT_EQ(total(), 30);
}

TEST_F(EventConsumerTest, AppliesOnceWhatWasFetchedTwice) {
    settled("req_1", 10);
    settled("req_2", 20);
    const auto first = test::run(consumer_.fetch());
    const auto again = test::run(consumer_.fetch());
    ASSERT_TRUE(first && again);
    ASSERT_EQ(again->list.size(), 2U);

    const auto apply = [&](const Events& events) {
        LogBatch batch(database_->writer());
        const auto applied = consumer_.apply(database_->writer(), batch, events);
        EXPECT_TRUE(applied && batch.write());
        return applied ? *applied : -1;
    };

    EXPECT_EQ(apply(*first), 2);
    EXPECT_EQ(apply(*again), 0);
    EXPECT_EQ(total(), 30);
}

TEST_F(EventConsumerTest, HealsEveryOrderOfFourEvents) {
    for (int i = 0; i < 4; ++i) settled(fmt::format("req_{}", i), std::int64_t{1} << i);
    std::vector<int> order{0, 1, 2, 3};
    do {
        ASSERT_TRUE(database_->writer().run_script(
            "DELETE FROM inbox; DELETE FROM requests; DELETE FROM usage_days;"));
        EventConsumer consumer(
            *database_, {"/services/test", [this](const auto& request) { return read(request); }},
            clock_);
        for (const int index : order) {
            ASSERT_TRUE(test::run(consumer.handle(outbox_[static_cast<std::size_t>(index)])));
        }
        EXPECT_EQ(total(), 15) << fmt::format("{}", fmt::join(order, " "));
        EXPECT_EQ(count_of("requests"), 4U);
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(EventConsumerTest, NothingIsAppliedWhileTheSourceCannotBeAsked) {
    settled("req_1", 10);
    const OutboxEvent second = settled("req_2", 20);
    source_error_ = Error(ErrorCode::kStorageUnavailable, "away");

    EXPECT_FALSE(handle(second));
    EXPECT_EQ(total(), 0);
    source_error_.reset();

    ASSERT_TRUE(handle(second));
    EXPECT_EQ(total(), 30);
}

TEST_F(EventConsumerTest, AnotherConsumerGoesOnWhereOneEnded) {
    settled("req_1", 10);
    EXPECT_EQ(catch_up(), 1);
    settled("req_2", 20);
    EventConsumer next(*database_,
                       {"/services/test", [this](const auto& request) { return read(request); }},
                       clock_);

    const auto count = test::run(next.catch_up());

    ASSERT_TRUE(count);
    EXPECT_EQ(*count, 1);
    EXPECT_EQ(total(), 30);
}

TEST_F(EventConsumerTest, ReadsMoreThanOnePage) {
    for (int i = 0; i < 5'500; ++i) settled(fmt::format("req_{}", i), 1);

    EXPECT_EQ(catch_up(), 5'500);

    EXPECT_EQ(total(), 5'500);
}

TEST_F(EventConsumerTest, GoesOnAfterWhatTheSourceNoLongerHas) {
    settled("req_1", 10);
    EXPECT_EQ(catch_up(), 1);
    settled("req_2", 20);
    settled("req_3", 40);
    outbox_.erase(outbox_.begin() + 1);

    EXPECT_EQ(catch_up(), 1);

    EXPECT_EQ(total(), 50);
    EXPECT_EQ(catch_up(), 0);
}

TEST_F(EventConsumerTest, PutsAsideWhatCannotBeReadAndGoesOn) {
    add("quire.credits.settled.v1", "{nonsense");
    add("quire.credits.settled.v1", "{}");
    settled("req_3", 40);

    EXPECT_EQ(catch_up(), 3);

    EXPECT_EQ(total(), 40);
    EXPECT_EQ(count_of("dead_letters"), 2U);
}

TEST_F(EventConsumerTest, PassesOverTypesOfNoInterestAndFieldsOfLater) {
    add("quire.credits.granted.v1", R"({"orgId":"org_1"})");
    add("quire.credits.settled.v1",
        R"({"orgId":"org_1","projectId":"prj_1","requestId":"req_1","cost":{"amount":"7"},"new":1})");

    EXPECT_EQ(catch_up(), 2);

    EXPECT_EQ(total(), 7);
    EXPECT_EQ(count_of("dead_letters"), 0U);
}

TEST_F(EventConsumerTest, ARequestIsTheSameWhicheverOfItsEventsComesFirst) {
    settled("req_1", 10);
    told("req_1", "cancelled");
    told("req_2", "cancelled");
    settled("req_2", 10);

    EXPECT_EQ(catch_up(), 4);

    v1::Request first = row_of("req_1")->request;
    const v1::Request second = row_of("req_2")->request;
    EXPECT_EQ(first.status(), "cancelled");
    EXPECT_EQ(first.cost().amount(), 10);
    EXPECT_EQ(first.usage().input_tokens(), 3);
    EXPECT_EQ(first.review_size(), 1);
    first.set_id("req_2");
    EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString());
}

TEST_F(EventConsumerTest, EventsOfOneRequestMayComeInDifferentBatches) {
    settled("req_0", 10);
    told("req_0", "cancelled");
    EXPECT_EQ(catch_up(), 2);
    ASSERT_TRUE(handle(settled("req_1", 10)));
    ASSERT_TRUE(handle(told("req_1", "cancelled")));
    ASSERT_TRUE(handle(told("req_2", "cancelled")));
    ASSERT_TRUE(handle(settled("req_2", 10)));

    const v1::Request together = row_of("req_0")->request;
    for (const char* request : {"req_1", "req_2"}) {
        auto apart = row_of(request);
        ASSERT_TRUE(apart);
        EXPECT_TRUE(apart->is_told);
        apart->request.set_id("req_0");
        EXPECT_EQ(apart->request.SerializeAsString(), together.SerializeAsString()) << request;
    }
    EXPECT_EQ(total(), 30);
}

TEST_F(EventConsumerTest, ReadsMessagesAsWellAsJson) {
    settled("req_1", 10);
    make_binary<credits::v1::Settled>();
    told("req_1", "cancelled");
    make_binary<prompts::v1::GenerationStory>();
    settled("req_2", 20);
    make_binary<credits::v1::Settled>().mutable_data()->pop_back();

    EXPECT_EQ(catch_up(), 3);

    const auto row = row_of("req_1");
    ASSERT_TRUE(row);
    EXPECT_EQ(row->request.status(), "cancelled");
    EXPECT_EQ(row->request.cost().amount(), 10);
    EXPECT_EQ(total(), 10);
    EXPECT_EQ(count_of("dead_letters"), 1U);
}

TEST_F(EventConsumerTest, AStoryAloneCostsNothingAndASettlementAloneIsARequest) {
    told("req_1", "failed");
    settled("req_2", 10);
    EXPECT_EQ(catch_up(), 2);

    EXPECT_FALSE(row_of("req_1")->request.has_cost());
    const auto alone = row_of("req_2");
    EXPECT_FALSE(alone->is_told);
    EXPECT_EQ(alone->request.status(), "completed");
    EXPECT_EQ(alone->request.cost().lines_size(), 1);
    EXPECT_EQ(total(), 10);
}

TEST_F(EventConsumerTest, AddsUsageUpByDayModelAndKey) {
    settled("req_1", 10);
    settled("req_2", 20);
    OutboxEvent next_day = settled("req_3", 40);
    outbox_.back().set_time_us(6 * kDayMicros);
    EXPECT_EQ(catch_up(), 3);

    const auto usage = AnalyticsStore(database_->writer()).usage_of(owner_);

    ASSERT_TRUE(usage);
    ASSERT_EQ(usage->size(), 2U);
    EXPECT_EQ(usage->at(0).day, 5);
    EXPECT_EQ(usage->at(0).requests, 2);
    EXPECT_EQ(usage->at(0).input_tokens, 6);
    EXPECT_EQ(usage->at(0).cost, 30);
    EXPECT_EQ(usage->at(1).day, 6);
}

}  // namespace
}  // namespace quire::analytics
