#pragma once

#include "runtime/async.hpp"
#include "runtime/thread_name.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

namespace quire::runtime {

/// Threads for work that blocks (SQLite, password hashing, files): called straight from a coroutine
/// it would stall every other request of that loop. At most `waiting_max` jobs wait; one more is
/// refused with kOverloaded.
class BlockingPool {
public:
    /// `name` is what the machine's tools show for the threads; 15 bytes of it.
    BlockingPool(std::string name, std::size_t threads, std::size_t waiting_max)
        : name_(std::move(name)), pool_(threads), jobs_max_(threads + waiting_max) {}
    ~BlockingPool() { join(); }

    /// Runs `work` (which returns a Result) on a pool thread and resumes the caller on its own
    /// executor. Work that has begun is not cancelled: it must have its own limit.
    template <class Work>
    awaitable<std::invoke_result_t<Work&>> run(Work work);

    void join() { pool_.join(); }

private:
    std::string name_;
    asio::thread_pool pool_;
    std::size_t jobs_max_;
    std::atomic<std::size_t> jobs_{0};
};

template <class Work>
awaitable<std::invoke_result_t<Work&>> BlockingPool::run(Work work) {
    using Answer = std::invoke_result_t<Work&>;
    if (jobs_.fetch_add(1) >= jobs_max_) {
        jobs_.fetch_sub(1);
        co_return Error(ErrorCode::kOverloaded, "too much blocking work waits; retry later")
            .with_retry_after(std::chrono::seconds(1));
    }
    const auto executor = co_await asio::this_coro::executor;
    // The job may only touch our frame while we wait for it, so the wait is not cancellable.
    std::optional<Answer> answer;
    auto initiate = [&](auto handler) {
        asio::post(pool_, [this, &answer, &work, executor, handler = std::move(handler)]() mutable {
            thread_local bool is_named = false;
            if (!is_named) is_named = name_this_thread(name_);
            answer.emplace(work());
            asio::post(executor, std::move(handler));
        });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(initiate,
                                                                         asio::use_awaitable);
    jobs_.fetch_sub(1);
    co_return *std::move(answer);
}

}  // namespace quire::runtime
