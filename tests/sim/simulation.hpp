#pragma once

#include "services/credits/ledger.hpp"
#include "tests/sim/answer_book.hpp"
#include "tests/sim/reference_ledger.hpp"
#include "tests/sim/simulated_disk.hpp"
#include "tests/sim/simulated_vfs.hpp"
#include "tests/sim/store_image.hpp"
#include "tests/sim/workload.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quire::sim {

/// A wall clock that jumps, beside a steady one that does not.
class JumpingClock final : public Clock {
public:
    Timestamp now() const override { return now_; }
    SteadyTime steady() const override { return steady_; }
    void advance(std::chrono::microseconds by) {
        now_ = now_ + by;
        steady_ += by;
    }
    void jump(std::chrono::microseconds by) { now_ = now_ + by; }

private:
    Timestamp now_{1'790'000'000'000'000};
    SteadyTime steady_{std::chrono::hours(1)};
};

/// How often what happened: operations by outcome, faults, crashes by what the disk was doing.
using Counters = std::map<std::string, std::uint64_t>;

/// One life of a ledger, decided by a seed: the real Ledger and the real SQLite on a simulated
/// machine, at least 200 operations and 5 faults, compared with the reference all the way.
///
/// A batch whose answers did not arrive leaves two possible worlds, with and without it. The store
/// must then be exactly one of them, whole.
class Simulation {
public:
    /// `trace` prints what happens to standard output.
    Simulation(std::uint64_t seed, bool trace, Counters& counters);
    ~Simulation();

    /// What went wrong, "" when nothing did.
    std::string run();

private:
    using Batch = std::vector<std::unique_ptr<ClientOperation>>;

    void live();
    void pass_time();
    void plan_fault();
    void run_batch();
    Batch make_batch();
    void judge(const Batch& batch);
    void accept(const Batch& batch);
    void branch(const Batch& batch);

    void crash();
    void restart();
    bool open_once();
    Result<std::unique_ptr<credits::LedgerStore>> open_store();
    void end();

    void check_store(const std::string& when);
    Result<StoreImage> read_copy();
    void choose_world(const StoreImage& store, const std::string& when);

    Timestamp expected_now() const;
    void begin_time();
    void fail(const std::string& what);
    bool is_fine() const { return violation_.empty(); }
    void count(const std::string& what, std::uint64_t by = 1) { counters_[what] += by; }
    void trace(const std::string& line) const;
    bool chance(std::uint64_t percent) { return rng_.next_below(100) < percent; }

    bool traces_;
    Counters& counters_;
    SeededRng rng_;          ///< of the world: workload and faults
    SeededRng machine_rng_;  ///< of the machine: disk, SQLite, ids
    JumpingClock clock_;
    SimulatedDisk disk_;
    SimulatedVfs vfs_;
    Workload workload_;
    AnswerBook answers_;

    std::unique_ptr<credits::Ledger> ledger_;
    Timestamp origin_;  ///< the ledger's time at origin_steady_
    SteadyTime origin_steady_;
    ReferenceLedger world_;
    std::optional<ReferenceLedger> other_world_;  ///< as if the last batch had been committed
    std::uint64_t operations_ = 0;
    std::uint64_t faults_ = 0;  ///< that struck: crashes, and batches that failed
    bool has_trouble_ = false;  ///< the disk failed during the last batch
    int calm_after_ = 0;        ///< batches until the planned fault ends
    std::string violation_;
};

}  // namespace quire::sim
