#include "tests/sim/simulation.hpp"

#include "services/credits/ledger_checks.hpp"
#include "services/credits/ledger_schema.hpp"
#include "storage/sqlite_connection.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>

namespace quire::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::uint64_t kOperationsMin = 200;
constexpr std::uint64_t kFaultsMin = 5;
constexpr int kCrashesInARowMax = 4;
const std::string kFile = "credits.db";
/// Small, so that checkpoints come often.
const std::string kCheckpoints = "PRAGMA wal_autocheckpoint=16";

Result<void> write_prices(storage::Connection& connection) {
    for (const auto& [version, price] : simulated_prices()) {
        QUIRE_TRY([[maybe_unused]] const auto written,
                  connection.execute(
                      "INSERT INTO prices VALUES ($1, $2, $3, $4, 0) "
                      "ON CONFLICT DO NOTHING",
                      {version, fmt::format("model-{}", version), price.input, price.output}));
    }
    return {};
}

}  // namespace

Simulation::Simulation(std::uint64_t seed, bool trace, Counters& counters)
    : traces_(trace),
      counters_(counters),
      rng_(seed * 2),
      machine_rng_(seed * 2 + 1),
      disk_(machine_rng_),
      vfs_(disk_, clock_, machine_rng_),
      workload_(rng_),
      world_(simulated_prices()) {}

Simulation::~Simulation() = default;

std::string Simulation::run() {
    if (chance(20)) disk_.cut_power_in(1 + rng_.next_below(80));
    restart();
    while (is_fine() && (operations_ < kOperationsMin || faults_ < kFaultsMin)) live();
    if (is_fine()) end();
    ledger_.reset();
    for (const ReferenceEntry& entry : world_.entries()) {
        const bool is_late = entry.slot == credits::Slot::kLate;
        count(fmt::format("entry: {}{}", is_late ? "late " : "", credits::name_of(entry.kind)));
    }
    count("disk operations", disk_.operations());
    count("fault: sync failed", disk_.syncs_failed());
    count("fault: write refused, disk full", disk_.growths_refused());
    return violation_;
}

// ---- what happens ----------------------------------------------------------------------------

void Simulation::live() {
    pass_time();
    plan_fault();
    run_batch();
    if (disk_.is_down()) {
        restart();
    } else if (other_world_) {
        check_store("after a failure");
    } else if (chance(4)) {
        check_store("now and then");
    }
}

void Simulation::pass_time() {
    if (chance(60)) clock_.advance(milliseconds(rng_.next_below(2000)));
    if (chance(15)) clock_.advance(std::chrono::seconds(rng_.next_below(120)));
    if (chance(3)) clock_.advance(std::chrono::minutes(rng_.next_below(26 * 60)));
    if (!chance(8)) return;
    const auto by = std::chrono::seconds(rng_.next_below(4 * 86'400));
    const bool is_back = chance(50);
    clock_.jump(is_back ? -by : by);
    count(is_back ? "fault: clock jumps back" : "fault: clock jumps forth");
    trace(fmt::format("clock jumps by {}{} s", is_back ? "-" : "", by.count()));
}

void Simulation::plan_fault() {
    if (calm_after_ > 0) {
        if (--calm_after_ == 0) disk_.calm();
        return;
    }
    if (!chance(24)) return;
    const std::uint64_t kind = rng_.next_below(10);
    if (kind < 6) {
        disk_.cut_power_in(1 + rng_.next_below(chance(70) ? 24 : 120));
        calm_after_ = 6;
    } else if (kind < 7) {
        trace("the power goes between batches");
        crash();
        restart();
    } else if (kind < 9) {
        disk_.limit_growth(rng_.next_below(5) * 8192);
        calm_after_ = 1 + static_cast<int>(rng_.next_below(4));
        trace("the disk is full");
    } else {
        disk_.fail_next_sync();
        calm_after_ = 2;
        trace("a sync will fail");
    }
}

Simulation::Batch Simulation::make_batch() {
    const std::uint64_t size = 1 + rng_.next_below(chance(10) ? 32 : 7);
    Batch batch;
    for (std::uint64_t i = 0; i < size; ++i) {
        batch.push_back(std::make_unique<ClientOperation>(workload_.next(), disk_));
    }
    return batch;
}

void Simulation::run_batch() {
    if (!is_fine()) return;
    const Batch batch = make_batch();
    std::vector<credits::LedgerOperation*> operations;
    for (const auto& operation : batch) operations.push_back(operation.get());
    if (ledger_->now() != expected_now()) {
        fail(fmt::format("C24: ledger time is {}, should be {}", ledger_->now().micros,
                         expected_now().micros));
        return;
    }
    const std::uint64_t troubles = disk_.syncs_failed() + disk_.growths_refused();
    ledger_->run(operations);
    operations_ += batch.size();
    has_trouble_ = disk_.is_down() || disk_.syncs_failed() + disk_.growths_refused() > troubles;
    judge(batch);
}

// ---- what must follow ------------------------------------------------------------------------

void Simulation::judge(const Batch& batch) {
    std::size_t acknowledged = 0;
    for (const auto& operation : batch) {
        acknowledged += operation->acknowledged().has_value();
        if (operation->answers() != 1) fail("an operation is answered once");
    }
    if (acknowledged > 0 && acknowledged < batch.size()) fail("a batch is answered as a whole");
    if (acknowledged > 0) {
        accept(batch);
    } else {
        branch(batch);
    }
}

/// The client was told: the reference must have said the same.
void Simulation::accept(const Batch& batch) {
    for (const auto& operation : batch) {
        const Outcome wanted = apply(operation->order(), world_, expected_now());
        const Outcome& told = *operation->acknowledged();
        trace(fmt::format("{}: {} {}", to_text(operation->order()), told.kind, told.facts));
        count("operation: " + told.kind);
        workload_.answered(operation->order(), told);
        const std::string contradiction = answers_.note(operation->order(), told);
        if (!contradiction.empty()) fail(contradiction);
        if (told.kind != wanted.kind || told.facts != wanted.facts) {
            fail(fmt::format("{}: answered `{} {}`, should be `{} {}`", to_text(operation->order()),
                             told.kind, told.facts, wanted.kind, wanted.facts));
        }
    }
}

/// Nobody was told: it may have happened or not.
void Simulation::branch(const Batch& batch) {
    const auto& told = batch.front()->refusal();
    if (!has_trouble_) fail("nothing is wrong, yet: " + (told ? told->message() : "no answer"));
    if (!disk_.is_down()) ++faults_;
    other_world_ = world_;
    for (const auto& operation : batch) {
        trace(to_text(operation->order()) + ": no answer");
        count("operation: no answer");
        apply(operation->order(), *other_world_, expected_now());
        workload_.unanswered(operation->order());
        const auto& refusal = operation->refusal();
        if (refusal && refusal->code() != ErrorCode::kStorageUnavailable) {
            fail(fmt::format("{}: {}: {}", to_text(operation->order()), refusal->name(),
                             refusal->message()));
        }
    }
}

void Simulation::end() {
    disk_.calm();
    calm_after_ = 0;
    check_store("near the end");
    crash();
    restart();
    // I7: after a sweep nothing is open that should not be.
    clock_.advance(std::chrono::hours(2));
    ClientOperation sweep(SweepOrder{1'000'000}, disk_);
    const std::array<credits::LedgerOperation*, 1> operations{&sweep};
    ledger_->run(operations);
    apply(sweep.order(), world_, expected_now());
    if (!sweep.acknowledged()) fail("the last sweep: no answer");
    if (ledger_->time_to_next_expiry()) fail("I7: a hold outlives its time");
    check_store("at the end");
    if (is_fine() && !world_.open_holds().empty()) fail("I7: an open hold is left");
}

// ---- crashes ---------------------------------------------------------------------------------

/// The machine stops: what the program has in memory is gone.
void Simulation::crash() {
    ++faults_;
    const auto point = disk_.point_of_cut();
    disk_.cut_power();
    ledger_.reset();
    count("crash: " + (point ? "at " + to_text(*point) : std::string("between batches")));
    trace("crash " + (point ? "at " + to_text(*point) : std::string("between batches")));
    const CrashLosses losses = disk_.revive();
    count("unsynced change kept", losses.kept);
    count("unsynced change lost", losses.lost);
    count("unsynced write torn", losses.torn);
    count("file vanished or back", losses.names_changed);
    calm_after_ = 0;
}

/// Crashes, if the machine is down, and opens a new ledger; that may crash again.
void Simulation::restart() {
    for (int i = 0; i < kCrashesInARowMax; ++i) {
        if (disk_.is_down()) crash();
        if (faults_ > 0 && chance(25)) disk_.cut_power_in(1 + rng_.next_below(12));
        if (i + 1 == kCrashesInARowMax) disk_.calm();
        count("start");
        if (open_once()) break;
        if (!disk_.is_down()) break;
        count("start that crashed");
    }
    if (!ledger_ || !is_fine()) return;
    disk_.calm();
    check_store(other_world_ ? "after a crash" : "after a start");
    begin_time();
}

bool Simulation::open_once() {
    auto open = [this] { return open_store(); };
    ledger_ = std::make_unique<credits::Ledger>(open, clock_, machine_rng_);
    const auto opened = ledger_->open();
    if (opened) return true;
    if (!disk_.is_down()) fail("cannot open: " + opened.error().message());
    return false;
}

Result<std::unique_ptr<credits::LedgerStore>> Simulation::open_store() {
    QUIRE_TRY(auto connection, storage::SqliteConnection::open(kFile, vfs_.name()));
    const auto set = connection->run_script(kCheckpoints);
    if (!set) return set.error();
    const auto migrated = credits::migrate_ledger(*connection, kFile, clock_);
    if (!migrated) return migrated.error();
    const auto priced = storage::in_transaction(*connection, true, write_prices);
    if (!priced) return priced.error();
    return std::make_unique<credits::LedgerStore>(std::move(connection));
}

// ---- the store -------------------------------------------------------------------------------

void Simulation::check_store(const std::string& when) {
    if (!is_fine()) return;
    const auto store = read_copy();
    if (!store) {
        fail(fmt::format("{}: the store cannot be read: {}", when, store.error().message()));
        return;
    }
    count("store compared");
    std::string found = broken_invariant(*store);
    if (found.empty()) found = answers_.broken_promise(*store);
    if (!found.empty()) fail(when + ": " + found);
    if (is_fine()) choose_world(*store, when);
}

/// Reads a copy of the disk, as another program would find it: the ledger's own connection, its
/// cache and its locks have no part in it.
Result<StoreImage> Simulation::read_copy() {
    SeededRng rng(1);
    SimulatedDisk disk = disk_.copy(rng);
    const SimulatedVfs vfs(disk, clock_, rng);
    QUIRE_TRY(const auto connection, storage::SqliteConnection::open(kFile, vfs.name()));
    QUIRE_TRY(const auto report, credits::check_ledger(*connection));
    if (!report.is_ok()) fail(report.violations.front());
    return StoreImage::read(*connection);
}

/// With two possible worlds the store says which one it is.
void Simulation::choose_world(const StoreImage& store, const std::string& when) {
    std::string found = difference(store, world_);
    if (other_world_) {
        const bool is_committed = !found.empty() && difference(store, *other_world_).empty();
        if (is_committed) {
            world_ = *std::move(other_world_);
            found.clear();
        }
        other_world_.reset();
        const std::string fate = is_committed ? "committed" : "gone";
        count(fmt::format("batch without answer, {}: {}", when, fate));
        trace("the batch without answer is " + fate);
    }
    if (!found.empty()) fail(fmt::format("{}: {}", when, found));
    world_.keep_only(store.keys);
}

// ---- time and trace --------------------------------------------------------------------------

/// A new ledger's time begins at the later of the wall clock and the last entry.
void Simulation::begin_time() {
    origin_ = clock_.now();
    if (!world_.entries().empty()) origin_ = std::max(origin_, world_.entries().back().at);
    origin_steady_ = clock_.steady();
}

Timestamp Simulation::expected_now() const {
    return origin_ + std::chrono::duration_cast<microseconds>(clock_.steady() - origin_steady_);
}

void Simulation::fail(const std::string& what) {
    trace("violation: " + what);
    if (violation_.empty()) violation_ = what;
}

void Simulation::trace(const std::string& line) const {
    if (!traces_) return;
    const auto steady = clock_.steady().time_since_epoch();
    fmt::print(stdout, "{:>12.3f}  {}\n", std::chrono::duration<double>(steady).count(), line);
}

}  // namespace quire::sim
