#pragma once

#include "base/clock.hpp"
#include "runtime/async.hpp"
#include "runtime/metrics.hpp"
#include "runtime/wakeup.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace quire::inference {

/// Who may run on one model: `concurrency` at once, at most `queue` waiting, first come first
/// served. Safe from several loops.
class ModelQueue {
public:
    ModelQueue(const std::string& model, std::int64_t concurrency, std::int64_t queue,
               const Clock& clock);

    /// Holds a place upstream while it lives.
    class Place {
    public:
        Place() = default;
        explicit Place(ModelQueue* queue) : queue_(queue) {}
        Place(Place&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)) {}
        Place& operator=(Place&& other) noexcept;
        ~Place();

    private:
        ModelQueue* queue_ = nullptr;
    };

    /// Waits for a place. kQueueFull at once when `queue` wait already, kQueueTimeout after
    /// `wait_max`, kCancelled.
    awaitable<Result<Place>> enter(std::chrono::milliseconds wait_max);

    std::size_t waiting() const;
    std::int64_t running() const;

private:
    /// One request in line; shared, because its turn may come while it is leaving.
    struct Waiter {
        explicit Waiter(const asio::any_io_executor& on) : executor(on), turn(on) {}
        asio::any_io_executor executor;
        runtime::Wakeup turn;
        bool has_place = false;  ///< under the queue's mutex
    };

    Result<std::shared_ptr<Waiter>> line_up(const asio::any_io_executor& executor);
    Result<Place> settle(const std::shared_ptr<Waiter>& waiter, Error otherwise);
    void leave();
    std::chrono::milliseconds retry_hint() const;

    std::string model_;
    std::int64_t concurrency_;
    std::size_t queue_max_;
    mutable std::mutex mutex_;
    std::deque<std::shared_ptr<Waiter>> waiting_;
    std::int64_t running_ = 0;
    double seconds_per_leave_ = 1;  ///< moving average of how often one leaves while others wait
    SteadyTime last_leave_;
    bool had_line_ = false;  ///< somebody waited at `last_leave_`
    const Clock& clock_;
    prometheus::Gauge& depth_;
    prometheus::Histogram& wait_seconds_;
    prometheus::Counter& refused_;
};

}  // namespace quire::inference
