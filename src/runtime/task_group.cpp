#include "runtime/task_group.hpp"

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <condition_variable>

namespace quire::runtime {

struct TaskGroup::State {
    struct Task {
        asio::any_io_executor executor;
        std::shared_ptr<asio::cancellation_signal> signal;
    };

    mutable std::mutex mutex;
    std::condition_variable emptied;
    std::list<Task> tasks;
    std::vector<std::function<void()>> joiners;
    bool is_cancelled = false;
};

namespace {

/// Cancellation is a value here, not an exception at the next await.
awaitable<void> as_root(awaitable<void> task) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await std::move(task);
}

void log_escaped(std::string_view name, const std::exception_ptr& escaped) {
    if (!escaped) return;
    try {
        std::rethrow_exception(escaped);
    } catch (const std::exception& e) {
        count_bug();
        QUIRE_LOG(error, "an exception escaped a task", {"task", name}, {"what", e.what()});
    }
}

void emit_on(const asio::any_io_executor& executor,
             std::shared_ptr<asio::cancellation_signal> signal) {
    asio::post(executor,
               [signal = std::move(signal)] { signal->emit(asio::cancellation_type::terminal); });
}

}  // namespace

TaskGroup::TaskGroup() : state_(std::make_shared<State>()) {}

TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(const asio::any_io_executor& executor, std::string_view name,
                      awaitable<void> task) {
    auto signal = std::make_shared<asio::cancellation_signal>();
    std::list<State::Task>::iterator place;
    bool is_late = false;
    {
        const std::lock_guard lock(state_->mutex);
        place = state_->tasks.insert(state_->tasks.end(), {executor, signal});
        is_late = state_->is_cancelled;
    }
    live_tasks().Increment();
    auto on_end = [state = state_, place, signal,
                   name = std::string(name)](const std::exception_ptr& escaped) {
        log_escaped(name, escaped);
        live_tasks().Decrement();
        std::vector<std::function<void()>> joiners;
        {
            const std::lock_guard lock(state->mutex);
            state->tasks.erase(place);
            if (state->tasks.empty()) joiners.swap(state->joiners);
            state->emptied.notify_all();
        }
        for (const auto& joined : joiners) joined();
    };
    asio::co_spawn(executor, as_root(std::move(task)),
                   asio::bind_cancellation_slot(signal->slot(), std::move(on_end)));
    if (is_late) emit_on(executor, signal);
}

void TaskGroup::cancel() {
    const std::lock_guard lock(state_->mutex);
    state_->is_cancelled = true;
    for (const State::Task& task : state_->tasks) emit_on(task.executor, task.signal);
}

awaitable<void> TaskGroup::join() {
    const auto executor = co_await asio::this_coro::executor;
    const auto wakeup = std::make_shared<Wakeup>(executor);
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->tasks.empty()) co_return;
        state_->joiners.emplace_back(
            [executor, wakeup] { asio::post(executor, [wakeup] { wakeup->notify(); }); });
    }
    const auto joined = co_await wakeup->wait();
    ignore(joined, "a cancelled join is given up");
}

void TaskGroup::join_blocking() {
    std::unique_lock lock(state_->mutex);
    state_->emptied.wait(lock, [this] { return state_->tasks.empty(); });
}

std::size_t TaskGroup::size() const {
    const std::lock_guard lock(state_->mutex);
    return state_->tasks.size();
}

}  // namespace quire::runtime
