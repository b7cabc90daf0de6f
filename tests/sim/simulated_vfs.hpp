#pragma once

#include "base/clock.hpp"
#include "base/rng.hpp"
#include "tests/sim/simulated_disk.hpp"
#include "tests/sim/simulated_locks.hpp"

#include <map>
#include <memory>
#include <string>

struct sqlite3_vfs;

namespace quire::sim {

/// SQLite's file system on a simulated disk, with time and randomness of the simulation's own, so
/// that a run can be repeated. While it lives it is SQLite's default one: SQLite seeds its
/// generator from that. Connections close before it goes.
class SimulatedVfs {
public:
    SimulatedVfs(SimulatedDisk& disk, const Clock& clock, Rng& rng);
    ~SimulatedVfs();
    SimulatedVfs(const SimulatedVfs&) = delete;
    SimulatedVfs& operator=(const SimulatedVfs&) = delete;

    /// For SqliteConnection::open.
    const std::string& name() const { return name_; }

    // For the functions that SQLite calls.

    SimulatedDisk& disk() { return disk_; }
    const Clock& clock() const { return clock_; }
    Rng& rng() { return rng_; }
    FileLocks& locks_of(const std::string& file) { return locks_[file]; }
    SharedMemory& memory_of(const std::string& file) { return memories_[file]; }
    std::string next_temporary_name();

private:
    SimulatedDisk& disk_;
    const Clock& clock_;
    Rng& rng_;
    std::string name_;
    std::unique_ptr<sqlite3_vfs> vfs_;
    std::map<std::string, FileLocks> locks_;
    std::map<std::string, SharedMemory> memories_;
    std::uint64_t temporaries_ = 0;
};

}  // namespace quire::sim
