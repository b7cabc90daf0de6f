#include "services/credits/ledger_writer.hpp"

#include "runtime/event_loops.hpp"
#include "runtime/task_group.hpp"
#include "services/credits/ledger_checks.hpp"
#include "services/credits/ledger_schema.hpp"
#include "services/credits/price_list.hpp"
#include "services/credits/statements.hpp"
#include "storage/sqlite_connection.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace quire::credits {
namespace {

using namespace std::chrono_literals;
using storage::SqliteConnection;

constexpr int kRivals = 1000;
constexpr int kAffordable = 10;
constexpr int kRepetitions = 200;
constexpr std::int64_t kHoldAmount = 50;  ///< 10 input tokens at 1, 20 output tokens at 2

/// Stands at the ledger's thread until it is opened: what comes meanwhile waits.
class Gate {
public:
    void open() { is_open_.test_and_set(), is_open_.notify_all(); }
    Result<void> pass(Ledger& /*ledger*/) {
        is_reached_.test_and_set();
        is_reached_.notify_all();
        is_open_.wait(false);
        return {};
    }
    void wait_until_reached() { is_reached_.wait(false); }

private:
    std::atomic_flag is_open_;
    std::atomic_flag is_reached_;
};

class LedgerWriterTest : public testing::Test {
protected:
    LedgerWriterTest() {
        const auto connection = open();
        EXPECT_TRUE(migrate_ledger(*connection, "credits.db", clock_));
        providers::ModelCatalog catalog;
        providers::ModelConfig model;
        model.price = {1'000'000, 2'000'000};
        catalog.models.emplace_back("writer", model);
        const auto prices = update_prices(*connection, catalog, clock_.now());
        EXPECT_TRUE(prices);
        price_ = prices->at("writer");
        EXPECT_TRUE(ledger_.open());
    }
    ~LedgerWriterTest() override { loops_.stop(); }

    std::unique_ptr<SqliteConnection> open() {
        auto connection = SqliteConnection::open(folder_.path() / "credits.db");
        EXPECT_TRUE(connection);
        return *std::move(connection);
    }
    HoldOrder order(const std::string& org, const std::string& id) {
        HoldOrder order;
        order.request_id = id;
        order.org_id = org;
        order.project_id = "prj_a";
        order.model = "writer";
        order.owner = "me";
        order.price = price_;
        order.input_tokens = 10;
        order.output_tokens = 20;
        order.ttl = 60s;
        return order;
    }
    awaitable<Result<TransferRow>> grant(LedgerWriter& writer, std::string org,
                                         std::int64_t amount) {
        const GrantOrder order{std::move(org), {amount}, "test", "g", ""};
        auto work = [&order](Ledger& ledger) { return ledger.grant(order); };
        co_return co_await writer.run(std::move(work));
    }
    awaitable<Result<HoldAnswer>> hold(LedgerWriter& writer, HoldOrder order) {
        auto work = [&order](Ledger& ledger) { return ledger.hold(order); };
        co_return co_await writer.run(std::move(work));
    }
    awaitable<Result<void>> pass(LedgerWriter& writer, Gate& gate) {
        auto work = [&gate](Ledger& ledger) { return gate.pass(ledger); };
        co_return co_await writer.run(std::move(work));
    }
    Balance balance(const std::string& org) {
        const auto read = read_balance(*open(), org);
        EXPECT_TRUE(read);
        return *read;
    }
    void TearDown() override {
        const auto report = check_ledger(*open());
        ASSERT_TRUE(report);
        EXPECT_TRUE(report->is_ok()) << testing::PrintToString(report->violations);
    }

    test::TemporaryFolder folder_;
    SystemClock clock_;
    SeededRng rng_{1};
    Price price_;
    Ledger ledger_{[this]() -> Result<std::unique_ptr<LedgerStore>> {
                       return std::make_unique<LedgerStore>(open());
                   },
                   clock_, rng_};
    runtime::EventLoops loops_{4};
};

/// How a thousand admissions at once ended.
struct Race {
    std::atomic<int> admitted{0};
    std::atomic<int> refused{0};
    std::atomic<int> other{0};

    void count(const Result<HoldAnswer>& answer) {
        if (answer && answer->outcome == HoldAnswer::Outcome::kAdmitted &&
            answer->amount.micros == kHoldAmount) {
            ++admitted;
        } else if (!answer && answer.error().code() == ErrorCode::kInsufficientQuota) {
            ++refused;
        } else {
            ++other;
        }
    }
};

TEST_F(LedgerWriterTest, AThousandAtOnceOnABalanceForTenAreTenEachTime) {
    LedgerWriter writer(ledger_, clock_, kRivals);
    writer.start();
    for (int repetition = 0; repetition < kRepetitions; ++repetition) {
        const std::string org = fmt::format("org_{}", repetition);
        ASSERT_TRUE(test::run_on(loops_.loop(0), grant(writer, org, kAffordable * kHoldAmount)));
        Race race;
        auto contend = [&](std::string id) -> awaitable<void> {
            const auto answer = co_await hold(writer, order(org, id));
            race.count(answer);
        };
        runtime::TaskGroup rivals;
        for (int rival = 0; rival < kRivals; ++rival) {
            rivals.spawn(loops_.next().get_executor(), "rival",
                         contend(fmt::format("req_{}_{}", repetition, rival)));
        }
        rivals.join_blocking();
        ASSERT_EQ(race.admitted, kAffordable) << "repetition " << repetition;
        ASSERT_EQ(race.refused, kRivals - kAffordable) << "repetition " << repetition;
        ASSERT_EQ(race.other, 0);
        ASSERT_EQ(balance(org).available.micros, 0);
        ASSERT_EQ(balance(org).held.micros, kAffordable * kHoldAmount);
    }
    writer.stop();
}

TEST_F(LedgerWriterTest, RefusesOneMoreThanMayWait) {
    LedgerWriter writer(ledger_, clock_, 3);
    writer.start();
    Gate gate;
    std::atomic<int> done{0};
    runtime::TaskGroup tasks;
    auto wait_at_gate = [&]() -> awaitable<void> {
        const auto passed = co_await pass(writer, gate);
        if (passed) ++done;
    };
    auto executor = loops_.loop(0).get_executor();
    tasks.spawn(executor, "gate", wait_at_gate());
    gate.wait_until_reached();
    for (int i = 0; i < 3; ++i) tasks.spawn(executor, "waits", wait_at_gate());
    auto none = []() -> awaitable<Result<void>> { co_return Result<void>(); };
    ASSERT_TRUE(test::run_on(loops_.loop(0), none()));  // those before it have been given

    const auto refused = test::run_on(loops_.loop(0), pass(writer, gate));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kOverloaded);
    EXPECT_TRUE(refused.error().retry_after());
    gate.open();
    tasks.join_blocking();
    EXPECT_EQ(done, 4);
    writer.stop();
}

TEST_F(LedgerWriterTest, FinishesWhatWaitsAtTheStop) {
    LedgerWriter writer(ledger_, clock_, kRivals);
    writer.start();
    ASSERT_TRUE(test::run_on(loops_.loop(0), grant(writer, "org_a", kHoldAmount)));
    Gate gate;
    std::atomic<int> admitted{0};
    runtime::TaskGroup tasks;
    auto wait_at_gate = [&]() -> awaitable<void> {
        const auto passed = co_await pass(writer, gate);
        EXPECT_TRUE(passed);
    };
    auto admit = [&]() -> awaitable<void> {
        const auto answer = co_await hold(writer, order("org_a", "req_1"));
        if (answer) ++admitted;
    };
    auto executor = loops_.loop(0).get_executor();
    tasks.spawn(executor, "gate", wait_at_gate());
    gate.wait_until_reached();
    tasks.spawn(executor, "admit", admit());
    auto none = []() -> awaitable<Result<void>> { co_return Result<void>(); };
    ASSERT_TRUE(test::run_on(loops_.loop(0), none()));
    gate.open();
    writer.stop();
    tasks.join_blocking();
    EXPECT_EQ(admitted, 1);
    EXPECT_EQ(balance("org_a").held.micros, kHoldAmount);

    const auto late = test::run_on(loops_.loop(0), hold(writer, order("org_a", "req_2")));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code(), ErrorCode::kOverloaded);
}

TEST_F(LedgerWriterTest, ReleasesWhatExpiresByItself) {
    LedgerWriter writer(ledger_, clock_, kRivals);
    writer.start();
    ASSERT_TRUE(test::run_on(loops_.loop(0), grant(writer, "org_a", kHoldAmount)));
    HoldOrder brief = order("org_a", "req_1");
    brief.ttl = 20ms;
    ASSERT_TRUE(test::run_on(loops_.loop(0), hold(writer, brief)));
    EXPECT_TRUE(test::wait_until([&] { return balance("org_a").held.micros == 0; }, 3000ms));
    EXPECT_EQ(balance("org_a").available.micros, kHoldAmount);
    writer.stop();
}

TEST_F(LedgerWriterTest, AnswersOnceItIsInTheStoreAndOnTheCallersLoop) {
    LedgerWriter writer(ledger_, clock_, kRivals);
    writer.start();
    std::atomic<int> wrong{0};
    auto check = [&](std::string org) -> awaitable<void> {
        const auto caller = std::this_thread::get_id();
        const auto granted = co_await grant(writer, org, 7);
        const bool is_there = balance(org).available.micros == 7;
        if (!granted || !is_there || std::this_thread::get_id() != caller) ++wrong;
    };
    runtime::TaskGroup tasks;
    for (int i = 0; i < 50; ++i) {
        tasks.spawn(loops_.next().get_executor(), "check", check(fmt::format("org_{}", i)));
    }
    tasks.join_blocking();
    EXPECT_EQ(wrong, 0);
    writer.stop();
}

}  // namespace
}  // namespace quire::credits
