#pragma once

#include "quire/credits/v1/credits_port.hpp"
#include "runtime/event_loops.hpp"
#include "runtime/task_group.hpp"
#include "services/prompts/journal.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace quire::prompts {

/// The ledger cannot be reached or written; the same settlement may work later.
bool may_work_later(const Error& error);

/// How a request is settled.
struct Settlement {
    credits::v1::SettleRequest request;
    common::v1::Usage otherwise;  ///< where the ledger refuses the request's, beyond any price
    runtime::TraceContext trace;
    /// The whole answer, where it could not be stored: it is paid for, so that is tried again too.
    std::optional<v1::StoredAnswer> answer;
    rpc::Principal whose;  ///< the answer is
};

/// What settling needs beside a request: it goes on when the request's coroutine is gone.
class Settlements {
public:
    Settlements(std::shared_ptr<credits::Credits> credits, Journal& journal)
        : credits_(std::move(credits)), journal_(journal) {}

    /// Settles, shielded from the caller's leaving (who then gets kCancelled at once). Where the
    /// ledger cannot be written this answers kSettleFailed, and goes on trying in the background.
    awaitable<Result<common::v1::Cost>> settle(Settlement settlement);
    /// Voids, shielded likewise, and tried again likewise.
    awaitable<Result<void>> release(std::string request_id);
    /// The same without waiting.
    void release_soon(const asio::any_io_executor& executor, std::string request_id);

    /// Whether the request's answer is there and waits to be stored.
    bool is_storing(const std::string& request_id) const;

    /// Waits for what settles, gives up what only retries.
    void stop();

private:
    awaitable<Result<common::v1::Cost>> settle_once(Settlement settlement);
    /// `settlement.request` is left as it was booked.
    awaitable<Result<credits::v1::SettleResponse>> book(Settlement& settlement);
    /// Tries again what is missing: the booking, the storing of the answer.
    awaitable<void> go_on(Settlement settlement, bool is_booked);
    awaitable<Result<void>> store_answer(Settlement& settlement);
    /// Whether there is room for one more answer that waits for the store; takes it.
    bool may_wait(const std::string& request_id, const v1::StoredAnswer& answer);
    void end_wait(const std::string& request_id);
    awaitable<Result<void>> release_once(std::string request_id);
    awaitable<void> release_later(std::string request_id);
    /// Asks the ledger until it can answer. Anything but an answer of it: given up.
    template <class Ask>
    awaitable<void> retry(std::string request_id, Ask ask);
    awaitable<void> release_unheard(std::string request_id);

    std::shared_ptr<credits::Credits> credits_;
    Journal& journal_;
    mutable std::mutex mutex_;                              ///< of the two below
    std::unordered_map<std::string, std::size_t> waiting_;  ///< answers' bytes by request
    std::size_t waiting_bytes_ = 0;
    runtime::TaskGroup tasks_;
    runtime::TaskGroup retries_;
};

/// A hold that is open: it is settled or released exactly once, at the latest, as unused, by the
/// destructor. Lives in the coroutine of its request.
class Hold {
public:
    Hold(Settlements& settlements, asio::any_io_executor executor, std::string request_id)
        : settlements_(settlements),
          executor_(std::move(executor)),
          request_id_(std::move(request_id)) {}
    ~Hold() {
        if (is_open_) settlements_.release_soon(executor_, request_id_);
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    /// See Settlements.
    awaitable<Result<common::v1::Cost>> settle(Settlement settlement);
    awaitable<Result<void>> release();

private:
    Settlements& settlements_;
    asio::any_io_executor executor_;
    std::string request_id_;
    bool is_open_ = true;
};

}  // namespace quire::prompts
