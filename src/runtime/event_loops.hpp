#pragma once

#include "runtime/async.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace quire::runtime {

/// N event loops of one thread each. A connection stays on its loop, so that its coroutine needs no
/// lock. Loops run from the constructor until `stop`.
class EventLoops {
public:
    explicit EventLoops(std::size_t count);
    ~EventLoops();
    EventLoops(const EventLoops&) = delete;
    EventLoops& operator=(const EventLoops&) = delete;

    std::size_t size() const { return loops_.size(); }
    asio::io_context& loop(std::size_t index) { return loops_[index]->context; }
    /// Round robin, for new connections. Any thread.
    asio::io_context& next();

    /// Which of our loops the calling thread is; nullopt on other threads.
    static std::optional<std::size_t> current();

    /// Stops the loops and joins their threads; what is still suspended is destroyed unfinished.
    void stop();

private:
    struct Loop {
        asio::io_context context{1};
        asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
        std::thread thread;
    };

    void start_loop(std::size_t number);

    std::vector<std::unique_ptr<Loop>> loops_;
    std::atomic<std::size_t> next_{0};
};

/// One T per loop, made at once; `here` is the calling loop's, so its use needs no lock.
template <class T>
class PerLoop {
public:
    template <class Make>
    PerLoop(EventLoops& loops, Make make) {
        for (std::size_t i = 0; i < loops.size(); ++i) each_.push_back(make(loops.loop(i)));
    }
    T& here() {
        const auto index = EventLoops::current();
        QUIRE_ASSERT(index && *index < each_.size(), "used from a thread that is not a loop");
        return *each_[*index];
    }
    std::vector<std::unique_ptr<T>>& all() { return each_; }

private:
    std::vector<std::unique_ptr<T>> each_;
};

}  // namespace quire::runtime
