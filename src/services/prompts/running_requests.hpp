#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

namespace quire::prompts {

/// The ids of the requests that run here. A hold, a journal row and a story belong to an id, so no
/// two requests may have one at once; whoever calls over the wire chooses it. Safe from several
/// loops.
class RunningRequests {
public:
    /// That an id is taken, while it lives.
    class Entry {
    public:
        Entry(RunningRequests& requests, std::string id)
            : requests_(&requests), id_(std::move(id)) {}
        Entry(Entry&& other) noexcept
            : requests_(std::exchange(other.requests_, nullptr)), id_(std::move(other.id_)) {}
        Entry& operator=(Entry&&) = delete;
        ~Entry() {
            if (requests_ != nullptr) requests_->leave(id_);
        }

    private:
        RunningRequests* requests_;
        std::string id_;
    };

    /// nullopt where the id is taken.
    std::optional<Entry> enter(const std::string& id) {
        const std::lock_guard lock(mutex_);
        if (!ids_.insert(id).second) return std::nullopt;
        return std::optional<Entry>(std::in_place, *this, id);
    }

private:
    void leave(const std::string& id) {
        const std::lock_guard lock(mutex_);
        ids_.erase(id);
    }

    std::mutex mutex_;
    std::unordered_set<std::string> ids_;
};

}  // namespace quire::prompts
