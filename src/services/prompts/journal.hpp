#pragma once

#include "base/clock.hpp"
#include "quire/credits/v1/credits.pb.h"
#include "quire/prompts/v1/prompts.pb.h"
#include "runtime/event_loops.hpp"
#include "runtime/rpc/call_context.hpp"
#include "runtime/task_group.hpp"
#include "storage/database.hpp"
#include "storage/outbox.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace quire::prompts {

/// What must survive a crash of the requests that run: how far each has come, the answers of those
/// with an idempotency key, and the stories of those that are over. Safe from several loops.
///
/// Checkpoints and stories are gathered and written together a little later, off the path of the
/// request; a crash may lose the last of them, and then the customer is charged less, or a page of
/// the request log says less.
class Journal {
public:
    Journal(storage::Database& database, runtime::EventLoops& loops, const Clock& clock)
        : database_(database), loops_(loops), clock_(clock), retention_clock_(clock) {}

    /// How the request would be settled if the process died now. Returns at once.
    void checkpoint(const credits::v1::SettleRequest& so_far);
    /// The request is settled or voided: its checkpoint is not needed any more.
    void forget(const std::string& request_id);
    /// Publishes what happened in a request that is over. Returns at once; where more waits than
    /// there is room for, the story is dropped and counted. The first story of an id stands.
    void tell(const v1::GenerationStory& story, std::string traceparent);
    /// The published events, for whoever consumes them.
    awaitable<Result<common::v1::OutboxPage>> read_outbox(
        const common::v1::ReadOutboxRequest& request);

    /// Keeps the whole answer, and how to settle it, for a day; durable when it returns.
    /// kStorageUnavailable.
    awaitable<Result<void>> put_outcome(const rpc::CallContext& ctx,
                                        const credits::v1::SettleRequest& settle,
                                        const v1::StoredAnswer& answer);
    /// The answer of a request of the caller's project; nullopt when none was kept.
    awaitable<Result<std::optional<v1::StoredAnswer>>> find_answer(const rpc::CallContext& ctx,
                                                                   const std::string& request_id);

    /// For recovery: how to settle each request that may not be settled yet, from its whole answer,
    /// else from its last checkpoint.
    awaitable<Result<std::vector<credits::v1::SettleRequest>>> unsettled();
    /// After recovery: nothing of an earlier process is needed any more.
    awaitable<Result<void>> clear();
    /// Deletes a few of the answers and events whose time is over; gives whether there may be more.
    awaitable<Result<bool>> prune();

    /// Writes what waits and ends; what cannot be written then is lost.
    void stop();

private:
    /// What is written together.
    struct Flush {
        std::map<std::string, std::string> checkpoints;
        std::vector<std::string> obsolete;
        std::vector<storage::OutboxRow> stories;
    };
    static Result<void> write_stories(storage::Connection& connection,
                                      const std::vector<storage::OutboxRow>& stories);
    Result<void> write(storage::Connection& connection, const Flush& flush);
    awaitable<void> flush_after(std::chrono::milliseconds pause);
    /// Under the lock. One flush at a time: of two, the older could be written last.
    void schedule(std::chrono::milliseconds pause);
    void schedule_what_waits();
    Flush take_waiting();
    /// It is written; what came meanwhile is next.
    void end_flush();
    /// The store refused it: what nothing newer has replaced waits again.
    void put_back(Flush flush);
    /// Under the lock, at the end.
    void tell_what_is_lost(const Flush& flush) const;

    storage::Database& database_;
    runtime::EventLoops& loops_;
    const Clock& clock_;
    RetentionClock retention_clock_;
    storage::OutboxRetention retention_;  ///< of the writing thread
    std::mutex mutex_;
    std::map<std::string, std::string> waiting_;  ///< request to its serialized settlement
    std::set<std::string> written_;               ///< requests with a row in the journal
    std::vector<std::string> obsolete_;           ///< rows to delete
    std::vector<storage::OutboxRow> stories_;
    std::size_t story_bytes_ = 0;
    bool is_scheduled_ = false;
    bool is_stopping_ = false;
    runtime::TaskGroup tasks_;
};

}  // namespace quire::prompts
