#include "runtime/event_loops.hpp"

#include "runtime/thread_name.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>

namespace quire::runtime {
namespace {

thread_local std::optional<std::size_t> current_loop;

}  // namespace

EventLoops::EventLoops(std::size_t count) {
    QUIRE_ASSERT(count > 0, "at least one event loop");
    try {
        for (std::size_t i = 0; i < count; ++i) start_loop(i);
    } catch (...) {  // no thread is to be had
        stop();
        throw;
    }
}

void EventLoops::start_loop(std::size_t number) {
    Loop& loop = *loops_.emplace_back(std::make_unique<Loop>());
    // A loop's first look-up starts a thread. Where that fails it must not be amid a request.
    const auto first = std::make_shared<asio::ip::tcp::resolver>(loop.context);
    first->async_resolve("127.0.0.1", "0", asio::ip::resolver_base::numeric_host,
                         [first](const boost::system::error_code&, const auto&) {});
    loop.thread = std::thread([&loop, number] {
        current_loop = number;
        name_this_thread(fmt::format("loop {}", number));
        loop.context.run();
    });
}

/// What never ran on a later loop may hold what belongs to an earlier one: a socket that was
/// accepted, its listener.
EventLoops::~EventLoops() {
    stop();
    while (!loops_.empty()) loops_.pop_back();
}

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
