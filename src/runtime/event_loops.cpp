#include "runtime/event_loops.hpp"

#include "runtime/thread_name.hpp"

#include <fmt/format.h>

namespace quire::runtime {
namespace {

thread_local std::optional<std::size_t> current_loop;

}  // namespace

EventLoops::EventLoops(std::size_t count) {
    QUIRE_ASSERT(count > 0, "at least one event loop");
    for (std::size_t i = 0; i < count; ++i) {
        Loop& loop = *loops_.emplace_back(std::make_unique<Loop>());
        loop.thread = std::thread([&loop, i] {
            current_loop = i;
            name_this_thread(fmt::format("loop {}", i));
            loop.context.run();
        });
    }
}

EventLoops::~EventLoops() { stop(); }

asio::io_context& EventLoops::next() {
    return loops_[next_.fetch_add(1, std::memory_order_relaxed) % loops_.size()]->context;
}

std::optional<std::size_t> EventLoops::current() { return current_loop; }

void EventLoops::stop() {
    for (const auto& loop : loops_) {
        loop->work.reset();
        loop->context.stop();
    }
    for (const auto& loop : loops_) {
        if (loop->thread.joinable()) loop->thread.join();
    }
}

}  // namespace quire::runtime
