#include "services/credits/ledger.hpp"

#include "services/credits/ledger_checks.hpp"
#include "services/credits/ledger_schema.hpp"
#include "services/credits/price_list.hpp"
#include "services/credits/statements.hpp"
#include "storage/sqlite_connection.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

namespace quire::credits {
namespace {

using namespace std::chrono_literals;
using Outcome = HoldAnswer::Outcome;

/// One order as a batch of its own.
template <class Work>
class Single final : public LedgerOperation {
public:
    explicit Single(Work work) : work_(std::move(work)) {}
    void apply(Ledger& ledger) override { result.emplace(work_(ledger)); }
    void answer(const Result<void>& committed) override {
        if (committed) return;
        if (result) ignore(*result, "undone with its batch");
        result.emplace(committed.error());
    }
    std::optional<std::invoke_result_t<Work&, Ledger&>> result;

private:
    Work work_;
};

class LedgerTest : public testing::Test {
protected:
    LedgerTest() {
        auto connection = open();
        EXPECT_TRUE(migrate_ledger(*connection, "credits.db", clock_));
        providers::ModelCatalog catalog;
        providers::ModelConfig model;
        model.price = {1'000'000, 2'000'000};  // one micro-credit an input token, two an output
        catalog.models.emplace_back("writer", model);
        const auto prices = update_prices(*connection, catalog, clock_.now());
        EXPECT_TRUE(prices);
        price_ = prices->at("writer");
    }

    std::unique_ptr<storage::SqliteConnection> open() {
        auto connection = storage::SqliteConnection::open(folder_.path() / "credits.db");
        EXPECT_TRUE(connection);
        return *std::move(connection);
    }
    Ledger::OpenStore store() {
        return [this]() -> Result<std::unique_ptr<LedgerStore>> {
            return std::make_unique<LedgerStore>(open());
        };
    }
    template <class Work>
    auto run(Work work) {
        Single single(std::move(work));
        LedgerOperation* one = &single;
        ledger_.run({&one, 1});
        return *std::move(single.result);
    }
    Result<TransferRow> grant(std::int64_t amount, std::string key = "g") {
        const GrantOrder order{"org_a", {amount}, "test", std::move(key), ""};
        return run([order](Ledger& ledger) { return ledger.grant(order); });
    }
    HoldOrder order(const std::string& id, std::int64_t input = 10, std::int64_t output = 20) {
        HoldOrder order;
        order.request_id = id;
        order.org_id = "org_a";
        order.project_id = "prj_a";
        order.key_id = "key_a";
        order.model = "writer";
        order.owner = "me";
        order.price = price_;
        order.input_tokens = input;
        order.output_tokens = output;
        order.ttl = 60s;
        return order;
    }
    Result<HoldAnswer> hold(HoldOrder order) {
        return run([order](Ledger& ledger) { return ledger.hold(order); });
    }
    Result<PricedUsage> settle(const std::string& id, std::int64_t input, std::int64_t output) {
        SettleOrder order;
        order.request_id = id;
        order.usage = {input, output, 0, 0, false};
        return run([order](Ledger& ledger) { return ledger.settle(order); });
    }
    Result<void> release(const std::string& id) {
        return run([id](Ledger& ledger) { return ledger.release(id); });
    }
    std::size_t sweep() {
        std::size_t expired = 0;
        const auto swept = run([&expired](Ledger& ledger) -> Result<void> {
            expired = ledger.expire_due(100);
            return {};
        });
        EXPECT_TRUE(swept);
        return expired;
    }
    Balance balance() {
        const auto read = read_balance(*open(), "org_a");
        EXPECT_TRUE(read);
        return *read;
    }
    void expect_balance(std::int64_t available, std::int64_t held) {
        EXPECT_EQ(balance().available.micros, available);
        EXPECT_EQ(balance().held.micros, held);
    }
    std::vector<std::string> entries() {
        const auto read = read_entries(*open(), "org_a", "", 100);
        EXPECT_TRUE(read);
        std::vector<std::string> texts;
        for (const Entry& entry : *read) {
            texts.push_back(entry.kind + " " + std::to_string(entry.amount.micros));
        }
        return texts;
    }
    void TearDown() override {
        const auto report = check_ledger(*open());
        ASSERT_TRUE(report);
        EXPECT_TRUE(report->is_ok()) << testing::PrintToString(report->violations);
    }

    test::TemporaryFolder folder_;
    ManualClock clock_;
    SeededRng rng_{1};
    Price price_;
    Ledger ledger_{store(), clock_, rng_};
};

using Texts = std::vector<std::string>;

TEST_F(LedgerTest, HoldsTheMostAndBooksTheExactCost) {
    ASSERT_TRUE(grant(1000));

    const auto held = hold(order("req_1"));

    ASSERT_TRUE(held);
    EXPECT_EQ(held->outcome, Outcome::kAdmitted);
    EXPECT_EQ(held->amount.micros, 50);
    expect_balance(950, 50);

    const auto settled = settle("req_1", 7, 9);

    ASSERT_TRUE(settled);
    EXPECT_EQ(settled->total.micros, 25);
    expect_balance(975, 0);
    EXPECT_EQ(entries(), (Texts{"usage -25", "grant 1000"}));
}

TEST_F(LedgerTest, LowersTheOutputToWhatTheBalanceAffords) {
    ASSERT_TRUE(grant(100));

    const auto held = hold(order("req_1", 10, 1000));

    ASSERT_TRUE(held);
    EXPECT_EQ(held->output_tokens, 45);
    EXPECT_EQ(held->amount.micros, 100);
    expect_balance(0, 100);
}

TEST_F(LedgerTest, RefusesWhatIsNotWorthARequest) {
    ASSERT_TRUE(grant(41));

    const auto held = hold(order("req_1", 10, 1000));

    ASSERT_FALSE(held);
    EXPECT_EQ(held.error().code(), ErrorCode::kInsufficientQuota);
    EXPECT_EQ(held.error().detail("balance"), "41");
    EXPECT_EQ(held.error().detail("required"), "42");
    EXPECT_TRUE(hold(order("req_2", 1, 20)));
    EXPECT_FALSE(hold(order("req_3", 0, 1)));
}

TEST_F(LedgerTest, AnOrganizationWithoutCreditsGetsNothing) {
    const auto held = hold(order("req_1"));

    ASSERT_FALSE(held);
    EXPECT_EQ(held.error().detail("balance"), "0");
}

TEST_F(LedgerTest, TheSameHoldAgainFindsTheFirst) {
    ASSERT_TRUE(grant(1000));
    ASSERT_TRUE(hold(order("req_1")));

    const auto again = hold(order("req_1"));

    ASSERT_TRUE(again);
    EXPECT_EQ(again->outcome, Outcome::kExists);
    expect_balance(950, 50);
    ASSERT_TRUE(settle("req_1", 1, 1));
    const auto late = hold(order("req_1"));
    ASSERT_TRUE(late);
    EXPECT_EQ(late->outcome, Outcome::kCompleted);
    expect_balance(997, 0);
}

TEST_F(LedgerTest, SettlingAgainGivesTheSameAndBooksNothing) {
    ASSERT_TRUE(grant(1000));
    ASSERT_TRUE(hold(order("req_1")));
    ASSERT_TRUE(settle("req_1", 7, 9));

    const auto again = settle("req_1", 7, 9);
    const auto other = settle("req_1", 8, 9);

    ASSERT_TRUE(again);
    EXPECT_EQ(again->total.micros, 25);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code(), ErrorCode::kAlreadyCompleted);
    expect_balance(975, 0);
}

TEST_F(LedgerTest, SettlingWithoutAHoldIsNotFound) {
    const auto settled = settle("req_1", 1, 1);

    ASSERT_FALSE(settled);
    EXPECT_EQ(settled.error().code(), ErrorCode::kNotFound);
}

TEST_F(LedgerTest, WhatExceedsTheHoldIsAnOverrunAndThenALoss) {
    ASSERT_TRUE(grant(60));
    ASSERT_TRUE(hold(order("req_1")));

    const auto settled = settle("req_1", 100, 0);

    ASSERT_TRUE(settled) << settled.error().message();
    EXPECT_EQ(settled->total.micros, 100);
    expect_balance(0, 0);
    EXPECT_EQ(entries(), (Texts{"overrun -10", "usage -50", "grant 60"}));
}

TEST_F(LedgerTest, ReleasingGivesEverythingBackOnce) {
    ASSERT_TRUE(grant(1000));
    ASSERT_TRUE(hold(order("req_1")));

    EXPECT_TRUE(release("req_1"));
    EXPECT_TRUE(release("req_1"));
    EXPECT_TRUE(release("req_unknown"));

    expect_balance(1000, 0);
    const auto settled = settle("req_1", 1, 1);
    ASSERT_FALSE(settled);
    EXPECT_EQ(settled.error().code(), ErrorCode::kAlreadyCompleted);
    EXPECT_EQ(entries(), (Texts{"grant 1000"}));
}

TEST_F(LedgerTest, ReleasingAfterASettleIsRefused) {
    ASSERT_TRUE(grant(1000));
    ASSERT_TRUE(hold(order("req_1")));
    ASSERT_TRUE(settle("req_1", 1, 1));

    const auto released = release("req_1");

    ASSERT_FALSE(released);
    EXPECT_EQ(released.error().code(), ErrorCode::kAlreadyCompleted);
}

TEST_F(LedgerTest, AHoldExpiresAndLateUsageIsBookedOnce) {
    ASSERT_TRUE(grant(60));
    ASSERT_TRUE(hold(order("req_1")));
    EXPECT_EQ(sweep(), 0U);
    clock_.advance(60s);

    EXPECT_EQ(sweep(), 1U);
    expect_balance(60, 0);
    ASSERT_TRUE(settle("req_1", 20, 30));
    ASSERT_TRUE(settle("req_1", 20, 30));
    EXPECT_FALSE(settle("req_1", 20, 31));

    expect_balance(0, 0);
    EXPECT_EQ(entries(), (Texts{"usage -60", "grant 60"}));
}

TEST_F(LedgerTest, ExpiryCountsEvenBeforeTheSweep) {
    ASSERT_TRUE(grant(1000));
    ASSERT_TRUE(hold(order("req_1")));
    clock_.advance(60s);

    ASSERT_TRUE(settle("req_1", 1, 1));

    expect_balance(997, 0);
    EXPECT_EQ(sweep(), 0U);
}

TEST_F(LedgerTest, AnIdempotencyKeyBelongsToItsFirstRequest) {
    ASSERT_TRUE(grant(1000));
    HoldOrder first = order("req_1");
    first.idempotency_key = "k";
    first.request_hash = "h";
    HoldOrder second = first;
    second.request_id = "req_2";
    HoldOrder other = second;
    other.request_hash = "other";
    ASSERT_TRUE(hold(first));

    const auto running = hold(second);
    const auto reused = hold(other);

    ASSERT_FALSE(running);
    EXPECT_EQ(running.error().code(), ErrorCode::kIdempotencyInProgress);
    EXPECT_EQ(running.error().retry_after(), 1s);
    ASSERT_FALSE(reused);
    EXPECT_EQ(reused.error().code(), ErrorCode::kIdempotencyKeyReused);

    ASSERT_TRUE(settle("req_1", 1, 1));
    const auto done = hold(second);
    ASSERT_TRUE(done);
    EXPECT_EQ(done->outcome, Outcome::kCompleted);
    EXPECT_EQ(done->first_request_id, "req_1");

    clock_.advance(24h);
    const auto next_day = hold(second);
    ASSERT_TRUE(next_day);
    EXPECT_EQ(next_day->outcome, Outcome::kAdmitted);
}

TEST_F(LedgerTest, AnIdempotencyKeyLastsAsLongAsItsRequest) {
    ASSERT_TRUE(grant(1000));
    HoldOrder first = order("req_1");
    first.idempotency_key = "k";
    first.ttl = 72h;
    HoldOrder second = first;
    second.request_id = "req_2";
    ASSERT_TRUE(hold(first));
    clock_.advance(25h);
    EXPECT_EQ(sweep(), 0U);

    const auto running = hold(second);

    ASSERT_FALSE(running);
    EXPECT_EQ(running.error().code(), ErrorCode::kIdempotencyInProgress);
}

TEST_F(LedgerTest, AVoidFreesTheIdempotencyKey) {
    ASSERT_TRUE(grant(1000));
    HoldOrder first = order("req_1");
    first.idempotency_key = "k";
    HoldOrder second = first;
    second.request_id = "req_2";
    ASSERT_TRUE(hold(first));
    ASSERT_TRUE(release("req_1"));

    const auto again = hold(second);

    ASSERT_TRUE(again);
    EXPECT_EQ(again->outcome, Outcome::kAdmitted);
}

TEST_F(LedgerTest, GrantsAreBookedOnceAndBounded) {
    const auto first = grant(1000);
    const auto again = grant(1000);

    ASSERT_TRUE(first);
    ASSERT_TRUE(again);
    EXPECT_EQ(first->id, again->id);
    const auto other = grant(1);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code(), ErrorCode::kIdempotencyKeyReused);
    for (const std::int64_t bad : {std::int64_t{0}, std::int64_t{-1}, INT64_MIN, INT64_MAX,
                                   (std::int64_t{1} << 53) - 1000}) {
        const auto refused = grant(bad, "bad");
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidValue);
    }
    expect_balance(1000, 0);
}

TEST_F(LedgerTest, AbsurdUsageIsRefusedAndTheHoldStays) {
    ASSERT_TRUE(grant(1000));
    ASSERT_TRUE(hold(order("req_1")));

    for (const std::int64_t bad : {std::int64_t{-1}, INT64_MAX}) {
        const auto settled = settle("req_1", bad, 1);
        ASSERT_FALSE(settled);
        EXPECT_EQ(settled.error().code(), ErrorCode::kInvalidValue);
    }
    expect_balance(950, 50);
    EXPECT_TRUE(settle("req_1", 1, 1));
}

TEST_F(LedgerTest, AnotherProcessFindsEverything) {
    ASSERT_TRUE(grant(1000));
    ASSERT_TRUE(hold(order("req_1")));
    Ledger next(store(), clock_, rng_);
    ASSERT_TRUE(next.open());
    Single again([this](Ledger& ledger) { return ledger.hold(order("req_1")); });
    LedgerOperation* one = &again;

    next.run({&one, 1});

    ASSERT_TRUE(*again.result);
    EXPECT_EQ((*again.result)->outcome, Outcome::kExists);
    ASSERT_TRUE(next.time_to_next_expiry());
    EXPECT_EQ(*next.time_to_next_expiry(), 60s);
}

TEST_F(LedgerTest, AnotherProcessInTheSameMillisecondTakesNoIdTwice) {
    ASSERT_TRUE(grant(1000));
    ASSERT_TRUE(hold(order("req_1")));
    ASSERT_TRUE(settle("req_1", 1, 1));  // its event's id is above its transfer's
    Ledger next(store(), clock_, rng_);
    const GrantOrder another{"org_a", {1000}, "test", "another", ""};
    Single granted([another](Ledger& ledger) { return ledger.grant(another); });
    LedgerOperation* one = &granted;

    next.run({&one, 1});

    EXPECT_TRUE(*granted.result);
}

TEST_F(LedgerTest, WhenTheStoreFailsTheBatchNeverHappened) {
    ASSERT_TRUE(grant(1000));
    int opened = 0;
    Ledger broken(
        [&]() -> Result<std::unique_ptr<LedgerStore>> {
            ++opened;
            if (opened == 2) return Error(ErrorCode::kStorageUnavailable, "no disk");
            return std::make_unique<LedgerStore>(open());
        },
        clock_, rng_);
    ASSERT_TRUE(broken.open());
    // Another writer has the lock, so that the batch cannot begin.
    const auto other = open();
    ASSERT_TRUE(other->begin(true));
    ASSERT_TRUE(other->execute("DROP TABLE holds"));
    ASSERT_TRUE(other->commit());
    Single first([this](Ledger& ledger) { return ledger.hold(order("req_1")); });
    Single second([this](Ledger& ledger) { return ledger.release("req_2"); });
    const std::array<LedgerOperation*, 2> batch{&first, &second};

    broken.run(batch);
    EXPECT_FALSE(broken.is_open());
    EXPECT_FALSE(*first.result);
    EXPECT_FALSE(*second.result);
    EXPECT_EQ(first.result->error().code(), ErrorCode::kStorageUnavailable);
    broken.run(batch);
    EXPECT_FALSE(broken.is_open());
    EXPECT_EQ(opened, 2);
    EXPECT_FALSE(*first.result);
    EXPECT_FALSE(*second.result);

    ASSERT_TRUE(other->run_script(
        "CREATE TABLE holds (request_id TEXT PRIMARY KEY, hold_id TEXT, org_id TEXT, project_id "
        "TEXT, key_id TEXT, model TEXT, owner TEXT, idempotency_key TEXT, amount INTEGER, "
        "output_tokens INTEGER, price_version INTEGER, expires_at INTEGER)"));
    broken.run(batch);
    EXPECT_TRUE(broken.is_open());
    ASSERT_TRUE(*first.result);
    EXPECT_EQ((*first.result)->outcome, Outcome::kAdmitted);
    EXPECT_TRUE(*second.result);
    expect_balance(950, 50);
}

TEST(PriceUsage, RoundsOnceAndItsLinesAddUp) {
    const auto cost = price_usage({10, 20, 3, 5, false}, {1, 150'000, 600'000});

    ASSERT_TRUE(cost);
    EXPECT_EQ(cost->total.micros, 14);  // 1.5 + 12 = 13.5
    std::int64_t sum = 0;
    for (const PricedLine& line : cost->lines) sum += line.amount.micros;
    EXPECT_EQ(sum, 14);
    EXPECT_EQ(cost->lines.size(), 4U);
    EXPECT_EQ(cost->lines[0].amount.micros, 2);  // 7 tokens: 1.05
    EXPECT_EQ(cost->lines[1].amount.micros, 0);  // to 1.5
}

TEST(PriceUsage, RefusesPartsGreaterThanTheirWhole) {
    EXPECT_FALSE(price_usage({1, 1, 2, 0, false}, {1, 1, 1}));
    EXPECT_FALSE(price_usage({1, 1, 0, 2, false}, {1, 1, 1}));
    EXPECT_FALSE(price_usage({1, 1, -1, 0, false}, {1, 1, 1}));
    EXPECT_FALSE(price_usage({-1, 1, -1, 0, false}, {1, 1, 1}));
}

TEST(AffordableOutput, IsExactAtTheBorder) {
    EXPECT_EQ(affordable_output({100}, 10, 1000, {1, 1'000'000, 2'000'000}), 45);
    EXPECT_EQ(affordable_output({9}, 10, 1000, {1, 1'000'000, 2'000'000}), -1);
    EXPECT_EQ(affordable_output({10}, 10, 1000, {1, 1'000'000, 2'000'000}), 0);
    EXPECT_EQ(affordable_output({10}, 10, 1000, {1, 1'000'000, 0}), 1000);
    EXPECT_EQ(affordable_output({INT64_MAX}, INT64_MAX, INT64_MAX, {1, 1, 1}), INT64_MAX);
}

}  // namespace
}  // namespace quire::credits
