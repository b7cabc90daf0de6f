#pragma once

#include "base/rng.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire::sim {

enum class FileKind { kDatabase, kWal, kJournal, kTemporary };
enum class DiskAction { kCreate, kWrite, kTruncate, kSync, kSyncFolder, kDelete };

/// What the disk was doing when something happened to it.
struct DiskPoint {
    FileKind file = FileKind::kDatabase;
    DiskAction action = DiskAction::kWrite;

    auto operator<=>(const DiskPoint&) const = default;
};

/// `write wal`.
std::string to_text(DiskPoint point);

enum class DiskStatus { kDone, kDown, kFull, kSyncFailed };

/// What became of the changes that no sync had made safe when the power went.
struct CrashLosses {
    std::uint64_t kept = 0;
    std::uint64_t lost = 0;
    std::uint64_t torn = 0;           ///< writes of which some sectors are there
    std::uint64_t names_changed = 0;  ///< files that vanished or came back
};

/// Files in memory as a machine has them: what programs read, and below it what the platter holds.
/// A change reaches the platter for certain only by a sync of its file. When the power goes, each
/// change since then is kept, lost or torn between sectors, independently of the others: so the
/// order of unsynced writes means nothing. A file's creation is safe with its first sync; creations
/// and deletions may be undone until the folder is synced.
///
/// A failed sync loses some of the file's changes for good although they can still be read, as
/// Linux does: a later sync that succeeds does not bring them to the platter.
class SimulatedDisk {
public:
    static constexpr std::size_t kSectorBytes = 512;

    explicit SimulatedDisk(Rng& rng) : rng_(rng) {}

    // What a file system asks for. Each is one operation, and kDown when the power is off.

    DiskStatus create(const std::string& name, FileKind kind);
    /// kFull when the file would grow beyond the space that is left.
    DiskStatus write(const std::string& name, std::size_t offset, std::string_view bytes);
    DiskStatus truncate(const std::string& name, std::size_t size);
    DiskStatus sync(const std::string& name);
    /// Makes every name safe; `kind` says on whose account.
    DiskStatus sync_folder(FileKind kind);
    DiskStatus remove(const std::string& name, bool is_synced);

    /// What programs read; nullptr when there is no such file.
    const std::string* find(const std::string& name) const;

    // Faults.

    /// The power goes in the middle of the n-th operation from now, 1 being the next.
    void cut_power_in(std::uint64_t operations) { operations_left_ = operations; }
    void cut_power() { is_down_ = true; }
    /// The next sync fails, once.
    void fail_next_sync() { fails_sync_ = true; }
    /// Files may grow by this much together; nullopt: without limit.
    void limit_growth(std::optional<std::size_t> bytes) { growth_left_ = bytes; }
    /// Ends what cut_power_in, fail_next_sync and limit_growth began.
    void calm();
    /// The power comes back: decides what survived, which is all that is there now.
    CrashLosses revive();

    bool is_down() const { return is_down_; }
    /// Where the planned cut struck; nullopt when it has not.
    std::optional<DiskPoint> point_of_cut() const { return point_of_cut_; }
    /// Operations so far.
    std::uint64_t operations() const { return operations_; }
    std::uint64_t syncs_failed() const { return syncs_failed_; }
    std::uint64_t growths_refused() const { return growths_refused_; }

    /// Another disk with the files as programs read them now.
    SimulatedDisk copy(Rng& rng) const;

private:
    struct Change {
        std::optional<std::size_t> new_size;  ///< a truncation; else a write
        std::size_t offset = 0;
        std::string bytes;
    };
    struct File {
        FileKind kind = FileKind::kDatabase;
        std::string content;
        std::string platter;
        std::vector<Change> unsynced;
        bool is_name_safe = false;
    };
    enum class Fate { kKept, kLost, kTorn };

    /// Counts the operation; false when the power is off or goes now.
    bool begin(FileKind kind, DiskAction action);
    File& at(const std::string& name);
    static void apply(const Change& change, std::string& bytes);
    void make_names_safe();
    void tear(const Change& change, std::string& platter);
    Fate choose_fate(std::uint64_t kept_percent);
    void settle_changes(File& file, std::uint64_t kept_percent, CrashLosses& losses);
    void settle_names(CrashLosses& losses);

    Rng& rng_;
    std::map<std::string, File> files_;
    std::map<std::string, File> deleted_;  ///< the deletion is not safe yet
    bool is_down_ = false;
    bool fails_sync_ = false;
    std::optional<std::uint64_t> operations_left_;
    std::optional<std::size_t> growth_left_;
    std::optional<DiskPoint> point_of_cut_;
    std::uint64_t operations_ = 0;
    std::uint64_t syncs_failed_ = 0;
    std::uint64_t growths_refused_ = 0;
};

}  // namespace quire::sim
