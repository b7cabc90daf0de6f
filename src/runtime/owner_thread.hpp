#pragma once

#include "runtime/thread_name.hpp"

#include <functional>
#include <string>
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

    void start(std::string name, std::function<void()> body) {
        thread_ = std::thread([name = std::move(name), body = std::move(body)] {
            name_this_thread(name);
            body();
        });
    }
    void join() {
        if (thread_.joinable()) thread_.join();
    }

private:
    std::thread thread_;
};

}  // namespace quire::runtime
