#include "tests/sim/simulated_vfs.hpp"

#include "base/assert.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <span>

namespace quire::sim {
namespace {

/// An open file; SQLite keeps the bytes, hence the base as the first member.
struct OpenFile {
    sqlite3_file base;
    SimulatedVfs* vfs;
    std::string name;
    int level;  ///< of the file's lock
    bool is_temporary;
    bool has_memory;
    bool syncs_folder;  ///< with its next sync, as SQLite does on Unix for journals and logs
    FileKind kind;

    SimulatedDisk& disk() const { return vfs->disk(); }
};

OpenFile& open_file(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }
SimulatedVfs& simulated(sqlite3_vfs* vfs) { return *static_cast<SimulatedVfs*>(vfs->pAppData); }

int code_of(DiskStatus status, int failure) {
    switch (status) {
        case DiskStatus::kDone:
            return SQLITE_OK;
        case DiskStatus::kFull:
            return SQLITE_FULL;
        case DiskStatus::kDown:
        case DiskStatus::kSyncFailed:
            return failure;
    }
    return SQLITE_IOERR;
}

FileKind kind_of(int flags) {
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) return FileKind::kDatabase;
    if ((flags & SQLITE_OPEN_WAL) != 0) return FileKind::kWal;
    if ((flags & SQLITE_OPEN_MAIN_JOURNAL) != 0) return FileKind::kJournal;
    return FileKind::kTemporary;
}

// ---- a file ----------------------------------------------------------------------------------

int close_file(sqlite3_file* base) {
    OpenFile& file = open_file(base);
    if (file.is_temporary && !file.disk().is_down()) file.disk().remove(file.name, false);
    std::destroy_at(&file);
    return SQLITE_OK;
}

int read_file(sqlite3_file* base, void* into, int bytes, sqlite3_int64 from) {
    const OpenFile& file = open_file(base);
    const std::string* content = file.disk().find(file.name);
    if (file.disk().is_down() || content == nullptr) return SQLITE_IOERR_READ;
    const auto offset = static_cast<std::size_t>(from);
    const auto wanted = static_cast<std::size_t>(bytes);
    const std::size_t there = content->size() > offset ? content->size() - offset : 0;
    const std::size_t got = std::min(there, wanted);
    if (got > 0) std::memcpy(into, content->data() + offset, got);
    if (got == wanted) return SQLITE_OK;
    std::memset(static_cast<char*>(into) + got, 0, wanted - got);
    return SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* base, const void* from, int bytes, sqlite3_int64 offset) {
    const OpenFile& file = open_file(base);
    const std::string_view view(static_cast<const char*>(from), static_cast<std::size_t>(bytes));
    return code_of(file.disk().write(file.name, static_cast<std::size_t>(offset), view),
                   SQLITE_IOERR_WRITE);
}

int truncate_file(sqlite3_file* base, sqlite3_int64 size) {
    const OpenFile& file = open_file(base);
    return code_of(file.disk().truncate(file.name, static_cast<std::size_t>(size)),
                   SQLITE_IOERR_TRUNCATE);
}

int sync_file(sqlite3_file* base, int /*flags*/) {
    OpenFile& file = open_file(base);
    const DiskStatus synced = file.disk().sync(file.name);
    if (synced != DiskStatus::kDone) return code_of(synced, SQLITE_IOERR_FSYNC);
    if (!std::exchange(file.syncs_folder, false)) return SQLITE_OK;
    return code_of(file.disk().sync_folder(file.kind), SQLITE_IOERR_DIR_FSYNC);
}

int size_of_file(sqlite3_file* base, sqlite3_int64* size) {
    const OpenFile& file = open_file(base);
    const std::string* content = file.disk().find(file.name);
    if (file.disk().is_down() || content == nullptr) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(content->size());
    return SQLITE_OK;
}

int lock_file(sqlite3_file* base, int level) {
    OpenFile& file = open_file(base);
    if (!file.vfs->locks_of(file.name).raise(&file, file.level, level)) return SQLITE_BUSY;
    file.level = std::max(file.level, level);
    return SQLITE_OK;
}

int unlock_file(sqlite3_file* base, int level) {
    OpenFile& file = open_file(base);
    file.vfs->locks_of(file.name).lower(&file, file.level, level);
    file.level = std::min(file.level, level);
    return SQLITE_OK;
}

int check_reserved(sqlite3_file* base, int* is_reserved) {
    const OpenFile& file = open_file(base);
    *is_reserved = file.vfs->locks_of(file.name).is_reserved() ? 1 : 0;
    return SQLITE_OK;
}

int control_file(sqlite3_file* /*base*/, int /*what*/, void* /*argument*/) {
    return SQLITE_NOTFOUND;
}

int sector_size(sqlite3_file* /*base*/) { return SimulatedDisk::kSectorBytes; }

int characteristics(sqlite3_file* /*base*/) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int map_memory(sqlite3_file* base, int region, int bytes, int extends, void volatile** address) {
    OpenFile& file = open_file(base);
    SharedMemory& memory = file.vfs->memory_of(file.name);
    if (!file.has_memory) memory.join();
    file.has_memory = true;
    *address =
        memory.map(static_cast<std::size_t>(region), static_cast<std::size_t>(bytes), extends != 0);
    return SQLITE_OK;
}

int lock_memory(sqlite3_file* base, int first, int count, int flags) {
    const OpenFile& file = open_file(base);
    SharedMemory& memory = file.vfs->memory_of(file.name);
    const auto from = static_cast<std::size_t>(first);
    const auto number = static_cast<std::size_t>(count);
    const bool is_exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    if ((flags & SQLITE_SHM_LOCK) != 0) {
        return memory.lock(&file, from, number, is_exclusive) ? SQLITE_OK : SQLITE_BUSY;
    }
    memory.unlock(&file, from, number, is_exclusive);
    return SQLITE_OK;
}

void barrier(sqlite3_file* /*base*/) {}

int unmap_memory(sqlite3_file* base, int /*deletes*/) {
    OpenFile& file = open_file(base);
    if (file.has_memory) file.vfs->memory_of(file.name).leave();
    file.has_memory = false;
    return SQLITE_OK;
}

const sqlite3_io_methods kFileMethods{
    2,
    close_file,
    read_file,
    write_file,
    truncate_file,
    sync_file,
    size_of_file,
    lock_file,
    unlock_file,
    check_reserved,
    control_file,
    sector_size,
    characteristics,
    map_memory,
    lock_memory,
    barrier,
    unmap_memory,
    nullptr,
    nullptr,
};

// ---- the file system -------------------------------------------------------------------------

int open_by_name(sqlite3_vfs* base, const char* name, sqlite3_file* into, int flags,
                 int* flags_out) {
    SimulatedVfs& vfs = simulated(base);
    into->pMethods = nullptr;
    const std::string path = name == nullptr ? vfs.next_temporary_name() : name;
    if (vfs.disk().is_down()) return SQLITE_IOERR;
    if (vfs.disk().find(path) == nullptr) {
        if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
        const DiskStatus made = vfs.disk().create(path, kind_of(flags));
        if (made != DiskStatus::kDone) return SQLITE_IOERR;
    }
    auto* file = reinterpret_cast<OpenFile*>(into);
    const FileKind kind = kind_of(flags);
    const bool is_temporary = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    const bool is_journal = kind == FileKind::kWal || kind == FileKind::kJournal;
    const bool syncs_folder = is_journal && (flags & SQLITE_OPEN_CREATE) != 0;
    std::construct_at(file, OpenFile{{&kFileMethods},
                                     &vfs,
                                     path,
                                     SQLITE_LOCK_NONE,
                                     is_temporary,
                                     false,
                                     syncs_folder,
                                     kind});
    if (flags_out != nullptr) *flags_out = flags;
    return SQLITE_OK;
}

int delete_by_name(sqlite3_vfs* base, const char* name, int is_synced) {
    SimulatedDisk& disk = simulated(base).disk();
    if (disk.is_down()) return SQLITE_IOERR_DELETE;
    if (disk.find(name) == nullptr) return SQLITE_IOERR_DELETE_NOENT;
    return code_of(disk.remove(name, is_synced != 0), SQLITE_IOERR_DELETE);
}

int access_by_name(sqlite3_vfs* base, const char* name, int flags, int* answer) {
    const SimulatedDisk& disk = simulated(base).disk();
    if (disk.is_down()) return SQLITE_IOERR_ACCESS;
    const std::string* content = disk.find(name);
    // As on Unix, an empty file does not exist where its existence is asked for.
    const bool may_be_empty = flags != SQLITE_ACCESS_EXISTS;
    *answer = content != nullptr && (may_be_empty || !content->empty()) ? 1 : 0;
    return SQLITE_OK;
}

int full_name(sqlite3_vfs* /*base*/, const char* name, int bytes_max, char* into) {
    sqlite3_snprintf(bytes_max, into, "%s", name);
    return SQLITE_OK;
}

int fill_random(sqlite3_vfs* base, int bytes, char* into) {
    const std::span span(into, static_cast<std::size_t>(bytes));
    simulated(base).rng().fill(std::as_writable_bytes(span));
    return bytes;
}

int sleep_micros(sqlite3_vfs* /*base*/, int micros) { return micros; }

/// Julian day in milliseconds.
int current_time(sqlite3_vfs* base, sqlite3_int64* time) {
    constexpr sqlite3_int64 kUnixEpoch = 210'866'760'000'000;
    *time = kUnixEpoch + simulated(base).clock().now().micros / 1000;
    return SQLITE_OK;
}

int last_error(sqlite3_vfs* /*base*/, int /*bytes*/, char* /*into*/) { return 0; }

}  // namespace

SimulatedVfs::SimulatedVfs(SimulatedDisk& disk, const Clock& clock, Rng& rng)
    : disk_(disk),
      clock_(clock),
      rng_(rng),
      name_(fmt::format("simulated-{}", fmt::ptr(this))),
      vfs_(std::make_unique<sqlite3_vfs>()) {
    sqlite3_initialize();
    vfs_->iVersion = 2;
    vfs_->szOsFile = sizeof(OpenFile);
    vfs_->mxPathname = 512;
    vfs_->zName = name_.c_str();
    vfs_->pAppData = this;
    vfs_->xOpen = open_by_name;
    vfs_->xDelete = delete_by_name;
    vfs_->xAccess = access_by_name;
    vfs_->xFullPathname = full_name;
    vfs_->xRandomness = fill_random;
    vfs_->xSleep = sleep_micros;
    vfs_->xGetLastError = last_error;
    vfs_->xCurrentTimeInt64 = current_time;
    const int registered = sqlite3_vfs_register(vfs_.get(), 1);
    QUIRE_ASSERT(registered == SQLITE_OK, "SQLite takes another file system");
    sqlite3_randomness(0, nullptr);
}

SimulatedVfs::~SimulatedVfs() { sqlite3_vfs_unregister(vfs_.get()); }

std::string SimulatedVfs::next_temporary_name() {
    return fmt::format("temporary-{}", ++temporaries_);
}

}  // namespace quire::sim
