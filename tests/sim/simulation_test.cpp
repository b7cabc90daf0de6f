#include "tests/sim/simulation.hpp"

#include <gtest/gtest.h>

namespace quire::sim {
namespace {

Counters run_seeds(std::uint64_t first, std::uint64_t last) {
    Counters counters;
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        EXPECT_EQ(Simulation(seed, false, counters).run(), "") << "seed " << seed;
    }
    return counters;
}

TEST(Simulation, TheSameSeedsDoTheSame) { EXPECT_EQ(run_seeds(1, 5), run_seeds(1, 5)); }

TEST(Simulation, ReachesWhatItIsFor) {
    const Counters counters = run_seeds(1, 40);

    for (const std::string name : {"batch without answer, after a crash: committed",
                                   "batch without answer, after a crash: gone",
                                   "crash: at sync wal",
                                   "crash: at write wal",
                                   "crash: at write database",
                                   "crash: between batches",
                                   "entry: expire",
                                   "entry: late usage",
                                   "entry: overrun",
                                   "entry: void",
                                   "entry: writeoff",
                                   "fault: clock jumps back",
                                   "fault: clock jumps forth",
                                   "fault: sync failed",
                                   "fault: write refused, disk full",
                                   "operation: hold idempotency_in_progress",
                                   "operation: hold idempotency_key_reused",
                                   "operation: hold insufficient_quota",
                                   "start that crashed",
                                   "unsynced change lost",
                                   "unsynced write torn"}) {
        const auto found = counters.find(name);
        EXPECT_TRUE(found != counters.end() && found->second > 0) << name;
    }
}

TEST(Simulation, HasTheOperationsAndFaultsThatItPromises) {
    constexpr std::uint64_t kSeeds = 20;
    const Counters counters = run_seeds(1, kSeeds);

    std::uint64_t operations = 0, faults = 0;
    for (const auto& [name, times] : counters) {
        if (name.starts_with("operation: ")) operations += times;
        if (name.starts_with("crash: ")) faults += times;
    }
    EXPECT_GE(operations, kSeeds * 200);
    EXPECT_GE(faults, kSeeds * 2);
}

}  // namespace
}  // namespace quire::sim
