// Holds and settlements per second: the ledger's statements by SQLite's C interface alone, the
// Ledger that decides them, and the LedgerWriter with its thread under coroutines; at several
// operations per commit, of one organization and of many. Prints one JSON object per run.
#include "runtime/event_loops.hpp"
#include "runtime/task_group.hpp"
#include "services/credits/ledger_schema.hpp"
#include "services/credits/ledger_writer.hpp"
#include "services/credits/price_list.hpp"
#include "storage/sqlite_connection.hpp"
#include "tests/bench/ledger_orders.hpp"
#include "tests/bench/raw_ledger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <sys/resource.h>
#include <unistd.h>

namespace {

using namespace quire;
using namespace quire::credits;
using bench::kOrganizations;
using bench::Orders;
using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;
namespace fs = std::filesystem;

constexpr std::size_t kOpen = 256;  ///< holds that wait for their settlement
constexpr std::size_t kLoops = 2;
constexpr std::size_t kCoroutines = 256;
constexpr std::size_t kWaitingMax = 4096;
constexpr std::size_t kBatches[] = {1, 16, 128, 256};
constexpr double kPacedPerSecond = 5'000;

const SystemClock kClock;

template <class T>
T must(Result<T> result) {
    if (!result) {
        fmt::print(stderr, "ledger_bench: {}\n", result.error().message());
        std::exit(1);
    }
    return *std::move(result);
}

void must(const Result<void>& result) {
    if (result) return;
    fmt::print(stderr, "ledger_bench: {}\n", result.error().message());
    std::exit(1);
}

/// An order as the caller of the ledger gives it, kept until its batch is durable.
template <class Order, class Call>
class Given final : public LedgerOperation {
public:
    Given(Order order, Call call) : order_(std::move(order)), call_(call) {}
    void apply(Ledger& ledger) override { must((ledger.*call_)(order_)); }
    void answer(const Result<void>& committed) override { must(committed); }

private:
    Order order_;
    Call call_;
};

template <class Order, class Call>
std::unique_ptr<LedgerOperation> given(Order order, Call call) {
    return std::make_unique<Given<Order, Call>>(std::move(order), call);
}

void run_all(Ledger& ledger, const std::vector<std::unique_ptr<LedgerOperation>>& operations) {
    std::vector<LedgerOperation*> batch;
    for (const auto& operation : operations) batch.push_back(operation.get());
    ledger.run(batch);
}

/// A request whose hold is open.
struct Open {
    std::string request_id;
    std::size_t org = 0;
};

struct Stand {
    fs::path folder;
    Price price;
    double seconds = 1;
    int round = 0;

    std::string template_path() const { return folder / "template.db"; }
    /// A fresh copy of the template.
    std::string fresh(std::string_view name) const {
        const fs::path path = folder / name;
        for (const char* more : {"-wal", "-shm"}) fs::remove(path.string() + more);
        fs::copy_file(template_path(), path, fs::copy_options::overwrite_existing);
        const int file = ::open(path.c_str(), O_RDWR);
        ::fsync(file);  // so that no measured commit has to write the copy
        ::close(file);
        return path;
    }
    Ledger::OpenStore opener(std::string path) const {
        return [path = std::move(path)]() -> Result<std::unique_ptr<LedgerStore>> {
            QUIRE_TRY(auto connection, storage::SqliteConnection::open(path));
            return std::make_unique<LedgerStore>(std::move(connection));
        };
    }
};

struct Run {
    std::string_view what;
    bool is_hot;
    std::size_t batch;
    std::size_t transfers = 0;
    double seconds = 0;
    double cpu_seconds = 0;       ///< of the process
    std::vector<double> waits{};  ///< seconds, of commits or of calls
};

void print(const Stand& stand, Run& run) {
    const auto percentile = [&](double share) {
        if (run.waits.empty()) return 0.0;
        const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(run.waits.size()));
        std::nth_element(run.waits.begin(), run.waits.begin() + at, run.waits.end());
        return run.waits[static_cast<std::size_t>(at)] * 1e3;
    };
    fmt::print(
        "{{\"round\":{},\"what\":\"{}\",\"load\":\"{}\",\"batch\":{},\"per_second\":{:.0f},"
        "\"cpu_us\":{:.2f},\"p50_ms\":{:.4f},\"p99_ms\":{:.4f}}}\n",
        stand.round, run.what, run.is_hot ? "hot" : "spread", run.batch,
        static_cast<double>(run.transfers) / run.seconds,
        run.cpu_seconds * 1e6 / static_cast<double>(run.transfers), percentile(0.5),
        percentile(0.99));
    std::fflush(stdout);
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

/// A loop of one thread; its batches are turns of a hold and a settlement of the oldest one open.
class Loop {
public:
    Loop(const Stand& stand, bool is_hot) : orders_(is_hot, stand.price, kClock, 1) {}
    virtual ~Loop() = default;
    virtual void run(std::size_t count) = 0;

protected:
    /// Holds that wait for their settlement, before anything is measured.
    void fill() {
        for (std::size_t i = 0; i < kOpen; ++i) hold_next();
    }
    void take_turns(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            if (turn_++ % 2 == 0) {
                hold_next();
            } else {
                settle(open_.front());
                open_.pop_front();
            }
        }
    }
    virtual void hold(const Open& open) = 0;
    virtual void settle(const Open& open) = 0;

    Orders orders_;

private:
    void hold_next() {
        open_.push_back({orders_.next_request(), orders_.next_org()});
        hold(open_.back());
    }

    std::deque<Open> open_;
    std::size_t turn_ = 0;
};

class RawLoop final : public Loop {
public:
    RawLoop(const Stand& stand, bool is_hot) : Loop(stand, is_hot), raw_(stand.fresh("raw.db")) {
        raw_.begin();
        fill();
        raw_.commit();
    }
    void run(std::size_t count) override {
        raw_.begin();
        take_turns(count);
        raw_.commit();
    }

private:
    static std::int64_t account(const Open& open) {
        return bench::kFirstAccount + static_cast<std::int64_t>(open.org);
    }
    void hold(const Open& open) override {
        raw_.hold(open.request_id, account(open), kClock.now().micros);
    }
    void settle(const Open& open) override {
        raw_.settle(open.request_id, account(open), kClock.now().micros);
    }

    bench::RawLedger raw_;
};

class LedgerLoop final : public Loop {
public:
    LedgerLoop(const Stand& stand, bool is_hot)
        : Loop(stand, is_hot), ledger_(stand.opener(stand.fresh("ledger.db")), kClock, rng_) {
        fill();
        run_all(ledger_, operations_);
    }
    void run(std::size_t count) override {
        operations_.clear();
        take_turns(count);
        run_all(ledger_, operations_);
    }

private:
    void hold(const Open& open) override {
        operations_.push_back(given(orders_.hold(open.request_id, open.org), &Ledger::hold));
    }
    void settle(const Open& open) override {
        operations_.push_back(given(orders_.settle(open.request_id), &Ledger::settle));
    }

    SeededRng rng_{2};
    Ledger ledger_;
    std::vector<std::unique_ptr<LedgerOperation>> operations_;
};

void run_once(Loop& loop, Run& run) {
    const double cpu_before = cpu_seconds();
    const SteadyTime start = kClock.steady();
    loop.run(run.batch);
    run.waits.push_back(Seconds(kClock.steady() - start).count());
    run.cpu_seconds += cpu_seconds() - cpu_before;
    run.seconds += run.waits.back();
    run.transfers += run.batch;
}

/// Batch by batch in turn, so that whatever else the machine does falls on both.
void measure_pair(const Stand& stand, bool is_hot, std::size_t batch) {
    RawLoop raw(stand, is_hot);
    LedgerLoop ledger(stand, is_hot);
    Run raw_run{"raw", is_hot, batch};
    Run ledger_run{"ledger", is_hot, batch};
    while (raw_run.seconds + ledger_run.seconds < 2 * stand.seconds) {
        run_once(raw, raw_run);
        run_once(ledger, ledger_run);
    }
    print(stand, raw_run);
    print(stand, ledger_run);
}

/// One of many callers: a hold, its settlement, again; with a pace, a pair every so often.
struct Caller {
    const Stand& stand;
    LedgerWriter& writer;
    Orders orders;
    Seconds pace;  ///< 0: as fast as it goes
    SteadyTime start;
    std::vector<double> waits{};

    awaitable<void> call();
};

awaitable<void> Caller::call() {
    SteadyTime next = start;
    while (kClock.steady() - start < Seconds(stand.seconds)) {
        if (pace > 0s) {
            next += std::chrono::duration_cast<std::chrono::nanoseconds>(pace);
            const auto slept = co_await runtime::sleep_for(next - kClock.steady());
            must(slept);
        }
        const HoldOrder hold = orders.hold(orders.next_request(), orders.next_org());
        const SettleOrder settle = orders.settle(hold.request_id);
        auto hold_work = [&hold](Ledger& ledger) { return ledger.hold(hold); };
        auto settle_work = [&settle](Ledger& ledger) { return ledger.settle(settle); };
        const SteadyTime before = kClock.steady();
        const auto held = co_await writer.run(std::move(hold_work));
        waits.push_back(Seconds(kClock.steady() - before).count());
        const auto settled = co_await writer.run(std::move(settle_work));
        if (!held) must(Result<void>(held.error()));
        if (!settled) must(Result<void>(settled.error()));
    }
}

void measure_writer(const Stand& stand, bool is_hot, bool is_paced) {
    SeededRng rng(2);
    Ledger ledger(stand.opener(stand.fresh("writer.db")), kClock, rng);
    must(ledger.open());
    LedgerWriter writer(ledger, kClock, kWaitingMax);
    writer.start();
    runtime::EventLoops loops(kLoops);
    runtime::TaskGroup tasks;
    std::deque<Caller> callers;
    const double cpu_before = cpu_seconds();
    const Seconds pace(is_paced ? static_cast<double>(kCoroutines) / kPacedPerSecond : 0);
    const SteadyTime start = kClock.steady();
    for (std::size_t i = 0; i < kCoroutines; ++i) {
        const auto late =
            std::chrono::duration_cast<std::chrono::nanoseconds>(pace * i / kCoroutines);
        callers.push_back(
            {stand, writer, Orders(is_hot, stand.price, kClock, 10 + i), pace, start + late});
        tasks.spawn(loops.loop(i % kLoops).get_executor(), "caller", callers.back().call());
    }
    tasks.join_blocking();
    Run run{is_paced ? "paced" : "writer", is_hot, kCoroutines};
    run.seconds = Seconds(kClock.steady() - start).count();
    run.cpu_seconds = cpu_seconds() - cpu_before;
    loops.stop();
    writer.stop();
    for (const Caller& caller : callers) {
        run.transfers += 2 * caller.waits.size();
        run.waits.insert(run.waits.end(), caller.waits.begin(), caller.waits.end());
    }
    print(stand, run);
}

/// A store with its organizations, and nothing in its journal.
void prepare(Stand& stand) {
    fs::create_directories(stand.folder);
    const std::string path = stand.template_path();
    auto connection = must(storage::SqliteConnection::open(path));
    must(migrate_ledger(*connection, "credits.db", kClock));
    providers::ModelCatalog catalog;
    providers::ModelConfig model;
    model.price = {1'000'000, 2'000'000};
    catalog.models.emplace_back("writer", model);
    const PriceList prices = must(update_prices(*connection, catalog, kClock.now()));
    stand.price = prices.at("writer");
    connection.reset();
    SeededRng rng(1);
    Ledger ledger(stand.opener(path), kClock, rng);
    std::vector<std::unique_ptr<LedgerOperation>> grants;
    for (std::size_t i = 0; i < kOrganizations; ++i) {
        GrantOrder order{Orders::org(i), {std::int64_t{1} << 40}, "bench", "g", ""};
        grants.push_back(given(std::move(order), &Ledger::grant));
    }
    run_all(ledger, grants);
}

void measure_round(const Stand& stand, std::size_t only_batch) {
    for (const std::size_t batch : kBatches) {
        if (only_batch != 0 && batch != only_batch) continue;
        for (const bool is_hot : {false, true}) measure_pair(stand, is_hot, batch);
    }
    if (only_batch != 0) return;
    for (const bool is_hot : {false, true}) {
        measure_writer(stand, is_hot, false);
        measure_writer(stand, is_hot, true);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        fmt::print(stderr, "usage: ledger_bench FOLDER SECONDS ROUNDS [BATCH]\n");
        return 2;
    }
    Stand stand{argv[1], {}, std::atof(argv[2]), 0};
    prepare(stand);
    for (; stand.round < std::atoi(argv[3]); ++stand.round) {
        measure_round(stand, argc > 4 ? static_cast<std::size_t>(std::atol(argv[4])) : 0);
    }
    return 0;
}
