#include "services/analytics/analytics_service.hpp"

#include "services/analytics/analytics_schema.hpp"
#include "services/analytics/analytics_store.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace quire::analytics {
namespace {

using Ids = std::vector<std::string>;

std::string id_of(int number) { return fmt::format("req_{:026}", number); }

class AnalyticsServiceTest : public testing::Test {
protected:
    AnalyticsServiceTest() {
        EXPECT_TRUE(migrate_analytics(database_->writer(), "analytics.db", clock_));
        ctx_.principal.org_id = "org_1";
        ctx_.principal.project_id = "prj_1";
    }
    void put(int number, const std::string& status = "completed",
             const std::string& model = "writer", const std::string& key = "key_1") {
        RequestRow row;
        row.request.set_id(id_of(number));
        row.request.set_at_us(number);
        row.request.set_status(status);
        row.request.set_model(model);
        row.request.set_key_id(key);
        row.request.add_steps()->set_name("admit");
        row.request.mutable_content()->set_input("words");
        row.request.mutable_cost()->set_amount(3);
        row.request.mutable_cost()->add_lines()->set_amount(3);
        EXPECT_TRUE(AnalyticsStore(database_->writer()).insert({"org_1", "prj_1"}, row));
    }
    Result<v1::ListRequestsResponse> list() {
        return test::run(service_.list_requests(ctx_, ask_));
    }
    Ids listed() {
        const auto page = list();
        EXPECT_TRUE(page);
        Ids ids;
        if (page) {
            for (const auto& request : page->requests()) ids.push_back(request.id());
        }
        return ids;
    }
    Result<v1::GetRequestResponse> get(const std::string& id) {
        v1::GetRequestRequest request;
        request.set_id(id);
        return test::run(service_.get_request(ctx_, request));
    }
    void expect_refused(const char* param) {
        const auto page = list();
        ASSERT_FALSE(page);
        EXPECT_EQ(page.error().code(), ErrorCode::kInvalidValue);
        EXPECT_EQ(page.error().detail("param"), param);
    }

    test::TemporaryFolder folder_;
    ManualClock clock_;
    std::unique_ptr<storage::Database> database_ =
        *storage::Database::open_sqlite(folder_.path() / "analytics.db", {});
    AnalyticsService service_{*database_};
    rpc::CallContext ctx_;
    v1::ListRequestsRequest ask_;
};

TEST_F(AnalyticsServiceTest, ListsTheNewestFirstPageByPage) {
    for (int i = 1; i <= 5; ++i) put(i);
    ask_.mutable_page()->set_limit(2);

    EXPECT_EQ(listed(), (Ids{id_of(5), id_of(4)}));
    ask_.mutable_page()->set_after(id_of(4));
    EXPECT_EQ(listed(), (Ids{id_of(3), id_of(2)}));
    EXPECT_TRUE(list()->has_more());
    ask_.mutable_page()->set_after(id_of(2));
    EXPECT_EQ(listed(), Ids{id_of(1)});
    EXPECT_FALSE(list()->has_more());
}

TEST_F(AnalyticsServiceTest, FiltersByModelStatusAndKeyTogether) {
    put(1, "completed", "writer", "key_1");
    put(2, "failed", "writer", "key_1");
    put(3, "failed", "other", "key_1");
    put(4, "failed", "writer", "key_2");

    ask_.set_status("failed");
    EXPECT_EQ(listed(), (Ids{id_of(4), id_of(3), id_of(2)}));
    ask_.set_model("writer");
    EXPECT_EQ(listed(), (Ids{id_of(4), id_of(2)}));
    ask_.set_key_id("key_1");
    EXPECT_EQ(listed(), Ids{id_of(2)});
}

TEST_F(AnalyticsServiceTest, OnlyThePageOfOneRequestHasStepsLinesAndContent) {
    put(1);

    const auto page = list();
    const auto one = get(id_of(1));

    ASSERT_TRUE(page);
    ASSERT_TRUE(one);
    const v1::Request& brief = page->requests(0);
    EXPECT_EQ(brief.cost().amount(), 3);
    EXPECT_EQ(brief.steps_size() + brief.cost().lines_size() + (brief.has_content() ? 1 : 0), 0);
    EXPECT_EQ(one->request().cost().amount(), 3);
    EXPECT_EQ(one->request().cost().lines_size(), 1);
    EXPECT_EQ(one->request().steps_size(), 1);
    EXPECT_EQ(one->request().content().input(), "words");
}

TEST_F(AnalyticsServiceTest, ForeignAndUnknownAreTheSame) {
    put(1);
    const auto unknown = get(id_of(2));
    for (const auto& [org, project] : {std::pair{"org_1", "prj_2"}, std::pair{"org_2", "prj_1"}}) {
        ctx_.principal.org_id = org;
        ctx_.principal.project_id = project;

        const auto foreign = get(id_of(1));

        EXPECT_EQ(listed(), Ids{});
        ASSERT_FALSE(foreign);
        EXPECT_EQ(foreign.error().code(), ErrorCode::kNotFound);
    }
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code(), ErrorCode::kNotFound);
}

TEST_F(AnalyticsServiceTest, RefusesWhatIsOutOfRange) {
    ask_.mutable_page()->set_limit(1001);
    expect_refused("limit");
    ask_.mutable_page()->set_limit(-1);
    expect_refused("limit");
    ask_.mutable_page()->set_limit(1000);
    ask_.mutable_page()->set_after("req_1");
    expect_refused("after");
    ask_.mutable_page()->set_after("");
    ask_.set_status("done");
    expect_refused("status");
}

TEST_F(AnalyticsServiceTest, RetentionDeletesTheOldestInBatchesAndKeepsUsage) {
    for (int i = 1; i <= 5; ++i) put(i);
    AnalyticsStore store(database_->writer());
    ASSERT_TRUE(store.add_usage({"org_1", "prj_1"}, {5, "writer", "key_1", 5, 1, 1, 15}));

    const auto first = store.prune(Timestamp{4}, 2);
    EXPECT_EQ(listed(), (Ids{id_of(5), id_of(4), id_of(3)}));
    const auto second = store.prune(Timestamp{4}, 2);
    EXPECT_EQ(listed(), (Ids{id_of(5), id_of(4)}));
    const auto third = store.prune(Timestamp{4}, 2);

    ASSERT_TRUE(first && second && third);
    EXPECT_EQ((Ids{fmt::to_string(*first), fmt::to_string(*second), fmt::to_string(*third)}),
              (Ids{"2", "1", "0"}));
    EXPECT_EQ(store.usage_of({"org_1", "prj_1"})->front().cost, 15);
}

TEST_F(AnalyticsServiceTest, ARowDatedAheadKeepsNoOlderOne) {
    put(9);
    put(1);
    AnalyticsStore store(database_->writer());

    const auto gone = store.prune(Timestamp{4}, 1);

    ASSERT_TRUE(gone);
    EXPECT_EQ(*gone, 1);
    EXPECT_EQ(listed(), Ids{id_of(9)});
}

}  // namespace
}  // namespace quire::analytics
