#pragma once

#include "base/clock.hpp"
#include "runtime/async.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <list>

namespace quire::runtime {

class DeadlineTimers;

/// One moving deadline: `expire_at` sets it, and `on_expiry` runs once on the loop when it passes.
/// Moving or clearing it is a store, so that a connection can set one for every read and write
/// without a system call. Belongs to one loop.
class Deadline {
public:
    Deadline(asio::io_context& loop, std::function<void()> on_expiry);
    ~Deadline();
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    void expire_at(SteadyTime when);
    void expire_after(std::chrono::nanoseconds duration);
    void clear() { when_ = SteadyTime::max(); }
    SteadyTime when() const { return when_; }

private:
    friend class DeadlineTimers;

    DeadlineTimers& timers_;
    std::function<void()> on_expiry_;
    SteadyTime when_ = SteadyTime::max();
    std::list<Deadline*>::iterator place_;
};

}  // namespace quire::runtime
