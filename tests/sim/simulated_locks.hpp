#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace quire::sim {

/// The locks of one database file between the connections of one thread, as SQLite's five levels.
/// A holder is known by its address.
class FileLocks {
public:
    /// False: another holds what excludes it. `from` and `to` are SQLITE_LOCK_* levels.
    bool raise(const void* holder, int from, int to);
    void lower(const void* holder, int from, int to);
    bool is_reserved() const { return writer_ != nullptr; }

private:
    int readers_ = 0;
    const void* writer_ = nullptr;  ///< RESERVED and above
    bool is_closed_ = false;        ///< PENDING and above: no new reader
};

/// What the connections of a WAL database share in memory: the index of the log and its locks. It
/// is gone with its last user, as after a crash.
class SharedMemory {
public:
    static constexpr std::size_t kLocks = 8;

    void join() { ++users_; }
    void leave();
    /// The region, made when `extends`; nullptr when it is not there.
    void* map(std::size_t region, std::size_t bytes, bool extends);
    /// Locks `count` from `first`; all or none, false when one is taken.
    bool lock(const void* holder, std::size_t first, std::size_t count, bool is_exclusive);
    void unlock(const void* holder, std::size_t first, std::size_t count, bool is_exclusive);

private:
    struct Lock {
        int readers = 0;
        const void* writer = nullptr;
    };

    int users_ = 0;
    std::vector<std::unique_ptr<std::vector<std::byte>>> regions_;
    std::array<Lock, kLocks> locks_;
};

}  // namespace quire::sim
