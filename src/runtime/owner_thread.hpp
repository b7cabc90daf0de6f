#pragma once

#include <functional>
#include <thread>

namespace quire::runtime {

/// One thread for state that has a single owner, such as the ledger's. `body` must return by itself
/// once its owner says so; joined at the latest by the destructor.
class OwnerThread {
public:
    OwnerThread() = default;
    ~OwnerThread() { join(); }
    OwnerThread(const OwnerThread&) = delete;
    OwnerThread& operator=(const OwnerThread&) = delete;

    void start(std::function<void()> body) { thread_ = std::thread(std::move(body)); }
    void join() {
        if (thread_.joinable()) thread_.join();
    }

private:
    std::thread thread_;
};

}  // namespace quire::runtime
