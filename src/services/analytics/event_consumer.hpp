#pragma once

#include "base/clock.hpp"
#include "quire/common/v1/common.pb.h"
#include "runtime/async.hpp"
#include "services/analytics/log_batch.hpp"
#include "storage/database.hpp"
#include "storage/inbox.hpp"

#include <atomic>
#include <functional>
#include <string>

namespace quire::analytics {

/// A service whose events are consumed: its name and its ReadOutbox.
struct EventSource {
    std::string name;  ///< /services/<name>
    std::function<awaitable<Result<common::v1::OutboxPage>>(
        const common::v1::ReadOutboxRequest& request)>
        read;
};

/// What was read of a source in one go.
struct Events {
    std::vector<common::v1::OutboxEvent> list;
    bool has_more = false;  ///< at the source
};

/// Applies the events of one source to the request log, each once and in order, whatever way they
/// come: the outbox of the source is the truth. What a bus brings twice, late or not at all is
/// found by its sequence. Safe from several loops.
class EventConsumer {
public:
    EventConsumer(storage::Database& database, EventSource source, const Clock& clock);

    /// An event that was brought here. One that came too early makes the missing ones be read from
    /// the source first. Errors: those of the store and of the source; then it may be given again.
    awaitable<Result<void>> handle(const common::v1::OutboxEvent& event);
    /// Reads and applies what the source has and this does not. Gives the number of its events.
    awaitable<Result<std::int64_t>> catch_up();

    /// The two halves of `catch_up`, for whoever applies several sources in one transaction. Some
    /// 4,000 events or 8 MiB that were not applied yet.
    awaitable<Result<Events>> fetch();
    /// Applies what was fetched, inside a transaction; gives how many events were new.
    Result<std::int64_t> apply(storage::Connection& connection, LogBatch& batch,
                               const Events& events);

    const std::string& source() const { return source_.name; }

private:
    awaitable<Result<std::int64_t>> last_applied();
    Result<storage::Arrival> take(storage::Connection& connection,
                                  const common::v1::OutboxEvent& event);
    Result<void> apply_one(LogBatch& batch, const common::v1::OutboxEvent& event);
    storage::Receipt receipt_of(const common::v1::OutboxEvent& event) const;

    storage::Database& database_;
    EventSource source_;
    const Clock& clock_;
};

}  // namespace quire::analytics
