#pragma once

#include "runtime/async.hpp"
#include "runtime/owner_thread.hpp"
#include "services/credits/ledger.hpp"

#include <boost/asio/post.hpp>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <type_traits>
#include <vector>

namespace quire::credits {

/// The thread and the bounded queue round a ledger; it decides nothing. Whatever waits when the
/// thread is free goes into one transaction (group commit), so that many requests share one fsync
/// and a lone one waits for nobody. Between batches it releases holds whose time is over.
class LedgerWriter {
public:
    /// `waiting_max`: one more operation is refused with kOverloaded.
    LedgerWriter(Ledger& ledger, const Clock& clock, std::size_t waiting_max);
    ~LedgerWriter() { stop(); }
    LedgerWriter(const LedgerWriter&) = delete;
    LedgerWriter& operator=(const LedgerWriter&) = delete;

    /// The ledger belongs to the writer's thread from here to stop().
    void start();
    /// Finishes what waits, then ends the thread. Idempotent.
    void stop();

    /// Runs `work(Ledger&)`, which gives a Result, in the next batch, and resumes the caller on its
    /// own executor once that is durable. Not cancellable: what was given is carried out, and the
    /// caller learns how it ended. Errors: the work's own, kStorageUnavailable, kOverloaded.
    template <class Work>
    awaitable<std::invoke_result_t<Work&, Ledger&>> run(Work work);

private:
    using Handler = asio::async_result<asio::use_awaitable_t<>, void()>::handler_type;

    template <class Work>
    class Task;
    class Sweep;

    bool push(LedgerOperation& operation);
    void loop();
    /// Waits for work; takes up to a batch of it, nothing when it is time to sweep. False: stopped.
    bool take(std::vector<LedgerOperation*>& batch);
    void run_batch(std::vector<LedgerOperation*>& batch);

    Ledger& ledger_;
    const Clock& clock_;
    std::size_t waiting_max_;
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::vector<LedgerOperation*> waiting_;
    bool is_stopping_ = false;
    runtime::OwnerThread thread_;
};

// ---------------------------------------------------------------------------------------------

/// Lives in the frame of the coroutine that waits for it.
template <class Work>
class LedgerWriter::Task final : public LedgerOperation {
public:
    using Answer = std::invoke_result_t<Work&, Ledger&>;

    Task(Work& work, asio::any_io_executor executor)
        : work_(work), executor_(std::move(executor)) {}

    void apply(Ledger& ledger) override { answer_.emplace(work_(ledger)); }
    void answer(const Result<void>& committed) override {
        if (!committed) {
            if (answer_) ignore(*answer_, "undone with its batch");
            answer_.emplace(committed.error());
        }
        // The frame may be gone as soon as the handler is posted.
        const asio::any_io_executor executor = executor_;
        Handler handler = *std::move(handler_);
        asio::post(executor, std::move(handler));
    }
    void wait_with(Handler handler) { handler_.emplace(std::move(handler)); }
    Answer take() { return *std::move(answer_); }

private:
    Work& work_;
    asio::any_io_executor executor_;
    std::optional<Answer> answer_;
    std::optional<Handler> handler_;
};

template <class Work>
awaitable<std::invoke_result_t<Work&, Ledger&>> LedgerWriter::run(Work work) {
    const auto executor = co_await asio::this_coro::executor;
    Task<Work> task(work, executor);
    auto initiate = [&](Handler handler) {
        task.wait_with(std::move(handler));
        if (push(task)) return;
        const Result<void> refused =
            Error(ErrorCode::kOverloaded, "too much waits for the ledger; retry later")
                .with_retry_after(std::chrono::seconds(1));
        task.answer(refused);
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(initiate,
                                                                         asio::use_awaitable);
    co_return task.take();
}

}  // namespace quire::credits
