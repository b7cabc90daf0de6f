#include "tests/sim/simulated_locks.hpp"

#include "base/assert.hpp"

#include <sqlite3.h>

namespace quire::sim {

bool FileLocks::raise(const void* holder, int from, int to) {
    if (to <= from) return true;
    if (from == SQLITE_LOCK_NONE) {
        if (is_closed_) return false;
        ++readers_;
    }
    if (to == SQLITE_LOCK_SHARED) return true;
    if (writer_ != nullptr && writer_ != holder) return false;
    writer_ = holder;
    if (to == SQLITE_LOCK_RESERVED) return true;
    is_closed_ = true;
    return readers_ == 1;
}

void FileLocks::lower(const void* holder, int from, int to) {
    if (to >= from) return;
    if (writer_ == holder) {
        writer_ = nullptr;
        is_closed_ = false;
    }
    if (to == SQLITE_LOCK_NONE) --readers_;
}

void SharedMemory::leave() {
    QUIRE_ASSERT(users_ > 0, "who leaves has joined");
    if (--users_ > 0) return;
    regions_.clear();
    locks_ = {};
}

void* SharedMemory::map(std::size_t region, std::size_t bytes, bool extends) {
    if (region >= regions_.size() && !extends) return nullptr;
    while (regions_.size() <= region) {
        regions_.push_back(std::make_unique<std::vector<std::byte>>(bytes));
    }
    return regions_[region]->data();
}

bool SharedMemory::lock(const void* holder, std::size_t first, std::size_t count,
                        bool is_exclusive) {
    for (std::size_t i = first; i < first + count; ++i) {
        const Lock& lock = locks_.at(i);
        if (lock.writer != nullptr && lock.writer != holder) return false;
        if (is_exclusive && lock.readers > 0) return false;
    }
    for (std::size_t i = first; i < first + count; ++i) {
        if (is_exclusive) {
            locks_[i].writer = holder;
        } else {
            ++locks_[i].readers;
        }
    }
    return true;
}

void SharedMemory::unlock(const void* holder, std::size_t first, std::size_t count,
                          bool is_exclusive) {
    for (std::size_t i = first; i < first + count; ++i) {
        Lock& lock = locks_.at(i);
        if (!is_exclusive) {
            --lock.readers;
        } else if (lock.writer == holder) {
            lock.writer = nullptr;
        }
    }
}

}  // namespace quire::sim
