#include "tests/support/gateway_under_test.hpp"

#include <gtest/gtest.h>

namespace quire::gateway {
namespace {

const std::string kAfterEntry = "txn_01ARZ3NDEKTSV4RRFFQ69G5FAV";

class GatewayCreditsTest : public testing::Test {
protected:
    GatewayCreditsTest() {
        gateway_.keys.emplace("reader", test::GatewayUnderTest::principal({"credits:read"}));
        gateway_.credits->on_get_balance =
            [](const auto&, const auto&) -> awaitable<Result<credits::v1::GetBalanceResponse>> {
            credits::v1::GetBalanceResponse response;
            response.set_available(995'000'000);
            response.set_held(7);
            co_return response;
        };
        gateway_.credits->on_list_entries = [this](const rpc::CallContext&,
                                                   const credits::v1::ListEntriesRequest& request) {
            return list(request);
        };
    }
    awaitable<Result<credits::v1::ListEntriesResponse>> list(
        const credits::v1::ListEntriesRequest& request) {
        asked_ = request.page().ShortDebugString();
        credits::v1::ListEntriesResponse response;
        auto& entry = *response.add_entries();
        entry.set_id("txn_1");
        entry.set_at_us(1'790'000'000'000'001);
        entry.set_kind("usage");
        entry.set_amount(-1234);
        entry.set_request_id("req_1");
        entry.set_description("writer");
        response.add_entries()->set_kind("grant");
        response.set_has_more(true);
        co_return response;
    }

    test::GatewayUnderTest gateway_;
    std::string asked_;
};

TEST_F(GatewayCreditsTest, ShowsTheBalance) {
    const auto answer = gateway_.send("GET", "/api/v1/credits/balance", "", "reader");

    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, R"({"available":995000000,"held":7,"unit":"micro_credits"})");
}

TEST_F(GatewayCreditsTest, ListsEntries) {
    const auto answer = gateway_.send(
        "GET", "/api/v1/credits/entries?after=" + kAfterEntry + "&limit=7", "", "reader");

    EXPECT_EQ(asked_, R"(after: ")" + kAfterEntry + R"(" limit: 7)");
    EXPECT_EQ(answer.at("/data/0/at"), "2026-09-21T14:13:20.000001Z");
    EXPECT_EQ(answer.at("/data/0/amount"), "-1234");
    EXPECT_EQ(answer.at("/data/0/request_id"), "req_1");
    EXPECT_EQ(answer.at("/data/1/request_id"), "null");
    EXPECT_EQ(answer.at("/has_more"), "true");
}

TEST_F(GatewayCreditsTest, NeedsTheScopeAndASoundLimit) {
    for (const char* path : {"/api/v1/credits/balance", "/api/v1/credits/entries"}) {
        EXPECT_EQ(gateway_.send("GET", path).status, 403) << path;
    }
    for (const char* limit : {"0", "1001", "-1", "x"}) {
        const std::string path = std::string("/api/v1/credits/entries?limit=") + limit;
        EXPECT_EQ(gateway_.send("GET", path, "", "reader").code(), "invalid_value") << limit;
    }
}

TEST_F(GatewayCreditsTest, ChecksTheCursorBeforeTheScope) {
    for (const char* after : {"bogus", "txn_0", "key_01ARZ3NDEKTSV4RRFFQ69G5FAV"}) {
        const std::string path = std::string("/api/v1/credits/entries?after=") + after;
        EXPECT_EQ(gateway_.send("GET", path).status, 400) << after;
    }
}

}  // namespace
}  // namespace quire::gateway
