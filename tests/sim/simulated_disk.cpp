#include "tests/sim/simulated_disk.hpp"

#include "base/assert.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quire::sim {
namespace {

constexpr std::array<std::string_view, 4> kFileNames{"database", "wal", "journal", "temporary"};
constexpr std::array<std::string_view, 6> kActionNames{"create", "write",          "truncate",
                                                       "sync",   "sync folder of", "delete"};
/// How much of the unsynced survives differs from crash to crash: from nothing to everything.
constexpr std::array<std::uint64_t, 5> kKeptPercents{0, 30, 60, 90, 100};

}  // namespace

std::string to_text(DiskPoint point) {
    return fmt::format("{} {}", kActionNames[static_cast<std::size_t>(point.action)],
                       kFileNames[static_cast<std::size_t>(point.file)]);
}

DiskStatus SimulatedDisk::create(const std::string& name, FileKind kind) {
    if (files_.contains(name)) return is_down_ ? DiskStatus::kDown : DiskStatus::kDone;
    if (is_down_) return DiskStatus::kDown;
    // The power may go before or after the name is there.
    files_[name].kind = kind;
    return begin(kind, DiskAction::kCreate) ? DiskStatus::kDone : DiskStatus::kDown;
}

DiskStatus SimulatedDisk::write(const std::string& name, std::size_t offset,
                                std::string_view bytes) {
    if (is_down_) return DiskStatus::kDown;
    File& file = at(name);
    const std::size_t end = offset + bytes.size();
    const std::size_t growth = end > file.content.size() ? end - file.content.size() : 0;
    if (growth_left_ && growth > *growth_left_) {
        ++growths_refused_;
        return DiskStatus::kFull;
    }
    if (growth_left_) *growth_left_ -= growth;
    file.unsynced.push_back({std::nullopt, offset, std::string(bytes)});
    apply(file.unsynced.back(), file.content);
    return begin(file.kind, DiskAction::kWrite) ? DiskStatus::kDone : DiskStatus::kDown;
}

DiskStatus SimulatedDisk::truncate(const std::string& name, std::size_t size) {
    if (is_down_) return DiskStatus::kDown;
    File& file = at(name);
    file.unsynced.push_back({size, 0, {}});
    apply(file.unsynced.back(), file.content);
    return begin(file.kind, DiskAction::kTruncate) ? DiskStatus::kDone : DiskStatus::kDown;
}

DiskStatus SimulatedDisk::sync(const std::string& name) {
    if (is_down_) return DiskStatus::kDown;
    File& file = at(name);
    if (!begin(file.kind, DiskAction::kSync)) return DiskStatus::kDown;
    if (fails_sync_) {
        fails_sync_ = false;
        ++syncs_failed_;
        std::erase_if(file.unsynced, [this](const Change&) { return rng_.next_below(2) == 0; });
        return DiskStatus::kSyncFailed;
    }
    for (const Change& change : file.unsynced) apply(change, file.platter);
    file.unsynced.clear();
    file.is_name_safe = true;
    deleted_.erase(name);
    return DiskStatus::kDone;
}

DiskStatus SimulatedDisk::sync_folder(FileKind kind) {
    if (is_down_ || !begin(kind, DiskAction::kSyncFolder)) return DiskStatus::kDown;
    make_names_safe();
    return DiskStatus::kDone;
}

DiskStatus SimulatedDisk::remove(const std::string& name, bool is_synced) {
    if (is_down_) return DiskStatus::kDown;
    const auto found = files_.find(name);
    QUIRE_ASSERT(found != files_.end(), "only a file that exists is removed");
    const FileKind kind = found->second.kind;
    if (found->second.is_name_safe) deleted_[name] = std::move(found->second);
    files_.erase(found);
    if (!begin(kind, DiskAction::kDelete)) return DiskStatus::kDown;
    if (is_synced) make_names_safe();
    return DiskStatus::kDone;
}

void SimulatedDisk::make_names_safe() {
    for (auto& [name, file] : files_) file.is_name_safe = true;
    deleted_.clear();
}

const std::string* SimulatedDisk::find(const std::string& name) const {
    const auto found = files_.find(name);
    return found == files_.end() ? nullptr : &found->second.content;
}

void SimulatedDisk::calm() {
    operations_left_.reset();
    growth_left_.reset();
    fails_sync_ = false;
}

CrashLosses SimulatedDisk::revive() {
    CrashLosses losses;
    const std::uint64_t kept_percent = kKeptPercents[rng_.next_below(kKeptPercents.size())];
    settle_names(losses);
    for (auto& [name, file] : files_) settle_changes(file, kept_percent, losses);
    calm();
    point_of_cut_.reset();
    is_down_ = false;
    return losses;
}

SimulatedDisk SimulatedDisk::copy(Rng& rng) const {
    SimulatedDisk made(rng);
    for (const auto& [name, file] : files_) {
        made.files_[name] = {file.kind, file.content, file.content, {}, true};
    }
    return made;
}

bool SimulatedDisk::begin(FileKind kind, DiskAction action) {
    ++operations_;
    if (!operations_left_ || --*operations_left_ > 0) return true;
    operations_left_.reset();
    point_of_cut_ = {kind, action};
    is_down_ = true;
    return false;
}

SimulatedDisk::File& SimulatedDisk::at(const std::string& name) {
    const auto found = files_.find(name);
    QUIRE_ASSERT(found != files_.end(), "a file is created before it is used");
    return found->second;
}

void SimulatedDisk::apply(const Change& change, std::string& bytes) {
    if (change.new_size) {
        bytes.resize(*change.new_size);
        return;
    }
    const std::size_t end = change.offset + change.bytes.size();
    if (bytes.size() < end) bytes.resize(end);
    std::copy(change.bytes.begin(), change.bytes.end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(change.offset));
}

void SimulatedDisk::tear(const Change& change, std::string& platter) {
    const std::size_t end = change.offset + change.bytes.size();
    for (std::size_t from = change.offset; from < end;) {
        const std::size_t to = std::min(end, (from / kSectorBytes + 1) * kSectorBytes);
        if (rng_.next_below(2) == 0) {
            apply({std::nullopt, from, change.bytes.substr(from - change.offset, to - from)},
                  platter);
        }
        from = to;
    }
}

SimulatedDisk::Fate SimulatedDisk::choose_fate(std::uint64_t kept_percent) {
    if (rng_.next_below(100) < kept_percent) return Fate::kKept;
    return rng_.next_below(2) == 0 ? Fate::kLost : Fate::kTorn;
}

void SimulatedDisk::settle_changes(File& file, std::uint64_t kept_percent, CrashLosses& losses) {
    for (const Change& change : file.unsynced) {
        Fate fate = choose_fate(kept_percent);
        if (fate == Fate::kTorn && change.new_size) fate = Fate::kLost;
        if (fate == Fate::kKept) apply(change, file.platter);
        if (fate == Fate::kTorn) tear(change, file.platter);
        losses.kept += fate == Fate::kKept;
        losses.lost += fate == Fate::kLost;
        losses.torn += fate == Fate::kTorn;
    }
    file.unsynced.clear();
    file.content = file.platter;
}

void SimulatedDisk::settle_names(CrashLosses& losses) {
    for (auto file = files_.begin(); file != files_.end();) {
        const bool stays = file->second.is_name_safe || rng_.next_below(2) == 0;
        losses.names_changed += !stays;
        file->second.is_name_safe = true;
        file = stays ? std::next(file) : files_.erase(file);
    }
    for (auto& [name, file] : deleted_) {
        if (files_.contains(name) || rng_.next_below(2) == 0) continue;
        ++losses.names_changed;
        files_[name] = std::move(file);
    }
    deleted_.clear();
}

}  // namespace quire::sim
