#pragma once

#include "base/clock.hpp"
#include "quire/common/v1/common.pb.h"
#include "runtime/async.hpp"
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

    const std::string& source() const { return source_.name; }

private:
    enum class Origin { kBus, kSource };
    awaitable<Result<std::int64_t>> last_applied();
    Result<storage::Arrival> take(storage::Connection& connection,
                                  const common::v1::OutboxEvent& event, Origin origin);
    Result<void> apply(storage::Connection& connection, const common::v1::OutboxEvent& event);

    storage::Database& database_;
    EventSource source_;
    const Clock& clock_;
    std::atomic<std::int64_t> last_{-1};  ///< applied and committed; -1: to be read
};

}  // namespace quire::analytics
