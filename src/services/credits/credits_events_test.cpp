#include "services/credits/credits_events.hpp"

#include "quire/credits/v1/credits.pb.h"

#include <gtest/gtest.h>

namespace quire::credits {
namespace {

TEST(CreditsEvents, ASettlementIsToldWhole) {
    SettleOrder order;
    order.request_id = "req_1";
    order.usage = {10, 20, 3, 5, true};
    order.facts = {"completed", "wri\"ter", "local", "post", 4, "b", "stop"};
    TransferRow hold;
    hold.org_id = "org_1";
    hold.project_id = "prj_1";
    hold.key_id = "key_1";
    const auto cost = price_usage(order.usage, {7, 150'000, 600'000});

    const auto event = settled_event(order, hold, *cost, Money{7});

    v1::Settled told;
    ASSERT_TRUE(told.ParseFromString(event.payload));
    EXPECT_EQ(told.org_id(), "org_1");
    EXPECT_EQ(told.project_id(), "prj_1");
    EXPECT_EQ(told.key_id(), "key_1");
    EXPECT_EQ(told.request_id(), "req_1");
    EXPECT_EQ(told.usage().input_tokens(), 10);
    EXPECT_EQ(told.usage().output_tokens(), 20);
    EXPECT_EQ(told.usage().cached_tokens(), 3);
    EXPECT_EQ(told.usage().reasoning_tokens(), 5);
    EXPECT_TRUE(told.usage().estimated());
    EXPECT_EQ(told.cost().amount(), 14);
    EXPECT_TRUE(told.cost().estimated());
    ASSERT_EQ(told.cost().lines_size(), 4);
    EXPECT_EQ(told.cost().lines(3).class_(), "reasoning");
    EXPECT_EQ(told.cost().lines(3).price(), 600'000);
    EXPECT_EQ(told.outcome().status(), "completed");
    EXPECT_EQ(told.outcome().model(), "wri\"ter");
    EXPECT_EQ(told.outcome().prompt_version(), 4);
    EXPECT_EQ(told.outcome().finish_reason(), "stop");
    EXPECT_EQ(event.type, "quire.credits.settled.v1");
    EXPECT_EQ(event.subject, "req_1");
}

TEST(CreditsEvents, ARequestThatUsedNothingIsToldToo) {
    SettleOrder order;
    order.request_id = "req_1";

    const auto event = settled_event(order, TransferRow(), PricedUsage(), Money());

    v1::Settled told;
    ASSERT_TRUE(told.ParseFromString(event.payload));
    EXPECT_EQ(told.cost().amount(), 0);
}

TEST(CreditsEvents, AGrantIsToldWhole) {
    TransferRow grant;
    grant.org_id = "org_1";
    grant.id = "txn_1";
    grant.posted = {5};
    grant.description = "top-up";

    const auto event = granted_event(grant, "00-ab");

    v1::Granted told;
    ASSERT_TRUE(told.ParseFromString(event.payload));
    EXPECT_EQ(told.entry_id(), "txn_1");
    EXPECT_EQ(told.amount(), 5);
    EXPECT_EQ(told.reason(), "top-up");
    EXPECT_EQ(event.traceparent, "00-ab");
}

}  // namespace
}  // namespace quire::credits
