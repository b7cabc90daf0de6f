#include "tests/sim/reference_ledger.hpp"

#include <gtest/gtest.h>

namespace quire::sim {
namespace {

using credits::HoldAnswer;
using credits::HoldOrder;

class ReferenceLedgerTest : public testing::Test {
protected:
    void grant(std::int64_t micros) {
        credits::GrantOrder order;
        order.org_id = "org";
        order.amount = {micros};
        order.idempotency_key = "first";
        ASSERT_TRUE(ledger_.grant(order, now_));
    }
    HoldOrder order_of(const std::string& id, std::int64_t output) {
        HoldOrder order;
        order.request_id = id;
        order.org_id = "org";
        order.price = price_;
        order.output_tokens = output;
        order.ttl = std::chrono::seconds(10);
        return order;
    }
    Result<credits::PricedUsage> settle(const std::string& id, std::int64_t output) {
        credits::SettleOrder order;
        order.request_id = id;
        order.usage.output = output;
        return ledger_.settle(order, now_);
    }
    const ReferenceBalance& prepaid() { return ledger_.balances().at("prepaid:org"); }

    credits::Price price_{1, 0, 1'000'000};  // a token is a micro-credit
    ReferenceLedger ledger_{{{1, price_}}};
    Timestamp now_{1'000'000};
};

TEST_F(ReferenceLedgerTest, GrantsWhatTheBalanceAffordsAndNoLess) {
    grant(100);

    const auto lowered = ledger_.hold(order_of("req_a", 150), now_);
    const auto refused = ledger_.hold(order_of("req_b", 1), now_);

    ASSERT_TRUE(lowered);
    EXPECT_EQ(lowered->output_tokens, 100);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kInsufficientQuota);
    EXPECT_EQ(refused.error().detail("balance"), "0");
}

TEST_F(ReferenceLedgerTest, BooksAnOverrunFromTheBalanceAndTheRestAsALoss) {
    grant(100);
    ASSERT_TRUE(ledger_.hold(order_of("req_a", 50), now_));

    const auto settled = settle("req_a", 130);

    ASSERT_TRUE(settled);
    EXPECT_EQ(settled->total.micros, 130);
    EXPECT_EQ(prepaid().debits_posted, 100);
    EXPECT_EQ(prepaid().debits_pending, 0);
    EXPECT_EQ(ledger_.balances().at("writeoff").debits_posted, 30);
    EXPECT_EQ(ledger_.balances().at("revenue").credits_posted, 130);
}

TEST_F(ReferenceLedgerTest, ALateSettlementIsBookedOnce) {
    grant(100);
    ASSERT_TRUE(ledger_.hold(order_of("req_a", 50), now_));
    now_ = now_ + std::chrono::seconds(10);

    ASSERT_TRUE(settle("req_a", 20));
    ASSERT_TRUE(settle("req_a", 20));
    const auto other = settle("req_a", 21);

    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code(), ErrorCode::kAlreadyCompleted);
    EXPECT_EQ(prepaid().debits_posted, 20);
    EXPECT_TRUE(ledger_.open_holds().empty());
}

}  // namespace
}  // namespace quire::sim
