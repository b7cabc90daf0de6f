#pragma once

#include "runtime/async.hpp"
#include "runtime/wakeup.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace quire::runtime {

/// Coroutines that outlive their starter: named, counted, cancelled and joined at stop. Asio's bare
/// spawn is banned, because nobody would wait for it at shutdown. Safe from any thread.
class TaskGroup {
public:
    TaskGroup();
    /// Every task must have ended: join first.
    ~TaskGroup();
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    /// Starts `task` on `executor`. An exception that escapes it is logged under `name`.
    void spawn(const asio::any_io_executor& executor, std::string_view name, awaitable<void> task);
    /// Asks every live task to end (terminal cancellation). Idempotent.
    void cancel();
    /// Ends when no task is left.
    awaitable<void> join();
    /// The same for a thread that is not a loop; the loops must be running.
    void join_blocking();
    std::size_t size() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

/// Runs `work` to its end in `group`, even when the caller is cancelled meanwhile (it then gets
/// kCancelled at once): for settle, void and journal writes. `work` must own all it uses.
template <class T>
awaitable<Result<T>> shielded(TaskGroup& group, std::string_view name, awaitable<Result<T>> work);

/// Runs `work` on `executor` and blocks the calling thread, which is no loop, until it has ended:
/// for what the start of the process waits for.
template <class T>
Result<T> run_blocking(const asio::any_io_executor& executor, std::string_view name,
                       awaitable<Result<T>> work);

// ---------------------------------------------------------------------------------------------

namespace task_group_detail {

template <class T>
awaitable<void> keep_result(awaitable<Result<T>> work, std::optional<Result<T>>& out) {
    auto result = co_await std::move(work);
    out.emplace(std::move(result));
}

template <class T>
struct Shared {
    explicit Shared(const asio::any_io_executor& executor) : done(executor) {}
    std::optional<Result<T>> result;
    Wakeup done;
};

template <class T>
awaitable<void> run_shielded(std::shared_ptr<Shared<T>> shared, awaitable<Result<T>> work) {
    std::exception_ptr bug;
    try {
        auto result = co_await std::move(work);
        shared->result.emplace(std::move(result));
    } catch (...) {
        bug = std::current_exception();
        shared->result.emplace(Error(ErrorCode::kInternalError, "an exception ended the work"));
    }
    ignore(*shared->result, "the caller may have left; one that waits reads it");
    shared->done.notify();
    if (bug) std::rethrow_exception(bug);  // the group logs it
}

}  // namespace task_group_detail

template <class T>
Result<T> run_blocking(const asio::any_io_executor& executor, std::string_view name,
                       awaitable<Result<T>> work) {
    std::optional<Result<T>> out;
    TaskGroup group;
    group.spawn(executor, name, task_group_detail::keep_result<T>(std::move(work), out));
    group.join_blocking();
    if (out) return *std::move(out);
    return Error(ErrorCode::kInternalError, "an exception ended '" + std::string(name) + "'");
}

template <class T>
awaitable<Result<T>> shielded(TaskGroup& group, std::string_view name, awaitable<Result<T>> work) {
    const auto executor = co_await asio::this_coro::executor;
    auto shared = std::make_shared<task_group_detail::Shared<T>>(executor);
    group.spawn(executor, name, task_group_detail::run_shielded<T>(shared, std::move(work)));
    const auto waited = co_await shared->done.wait();
    if (!waited) co_return cancelled_error();
    co_return *std::move(shared->result);
}

}  // namespace quire::runtime
