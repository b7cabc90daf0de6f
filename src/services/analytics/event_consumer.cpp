#include "services/analytics/event_consumer.hpp"

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "services/analytics/analytics_events.hpp"

namespace quire::analytics {
namespace {

using common::v1::OutboxEvent;
using storage::Arrival;
using storage::Connection;

constexpr std::int32_t kPageSize = 200;
constexpr const char* kConsumer = "analytics";

prometheus::Counter& events_of(const std::string& source, const char* how) {
    static auto& family =
        runtime::counter_family("quire_events_total",
                                "Events by source and what became of them: applied, duplicate, "
                                "early (others were missing before it), dead (unreadable).");
    return family.Add({{"source", source}, {"outcome", how}});
}

}  // namespace

EventConsumer::EventConsumer(storage::Database& database, EventSource source, const Clock& clock)
    : database_(database), source_(std::move(source)), clock_(clock) {}

awaitable<Result<void>> EventConsumer::handle(const OutboxEvent& event) {
    auto work = [&](Connection& connection) { return take(connection, event, Origin::kBus); };
    QUIRE_CO_TRY(const Arrival arrival, database_.write(std::move(work)));
    if (arrival == Arrival::kDuplicate) events_of(source_.name, "duplicate").Increment();
    if (arrival == Arrival::kFirst) events_of(source_.name, "applied").Increment();
    if (arrival != Arrival::kGap) co_return Result<void>();
    events_of(source_.name, "early").Increment();
    last_ = -1;
    const auto caught_up = co_await catch_up();
    if (!caught_up) co_return caught_up.error();
    co_return Result<void>();
}

awaitable<Result<std::int64_t>> EventConsumer::last_applied() {
    const std::int64_t known = last_;
    if (known >= 0) co_return known;
    auto read = [this](Connection& connection) {
        return storage::last_received(connection, kConsumer, source_.name);
    };
    auto last = co_await database_.read(std::move(read));
    co_return last;
}

awaitable<Result<std::int64_t>> EventConsumer::catch_up() {
    std::int64_t count = 0;
    common::v1::ReadOutboxRequest request;
    request.set_limit(kPageSize);
    for (bool has_more = true; has_more;) {
        QUIRE_CO_TRY(const std::int64_t after, last_applied());
        request.set_after_sequence(after);
        QUIRE_CO_TRY(const common::v1::OutboxPage page, source_.read(request));
        has_more = page.events_size() == kPageSize;
        if (page.events().empty()) co_return count;
        auto work = [&](Connection& connection) -> Result<std::int64_t> {
            std::int64_t applied = 0;
            for (const OutboxEvent& event : page.events()) {
                QUIRE_TRY(const Arrival arrival, take(connection, event, Origin::kSource));
                if (arrival == Arrival::kFirst) ++applied;
            }
            return applied;
        };
        QUIRE_CO_TRY(const std::int64_t applied, database_.write(std::move(work)));
        last_ = page.events().rbegin()->sequence();
        events_of(source_.name, "applied").Increment(static_cast<double>(applied));
        count += applied;
    }
    co_return count;
}

Result<Arrival> EventConsumer::take(Connection& connection, const OutboxEvent& event,
                                    Origin origin) {
    const storage::Receipt receipt{kConsumer, source_.name, event.id(), event.sequence(),
                                   clock_.now()};
    QUIRE_TRY(Arrival arrival, storage::receive(connection, receipt));
    if (arrival == Arrival::kGap && origin == Origin::kSource) {
        // The source itself has no such rows: it keeps its events for some time only.
        QUIRE_LOG(warn, "events are gone at their source", {"source", source_.name},
                  {"before", event.sequence()});
        const auto noted = storage::receive_after_hole(connection, receipt);
        if (!noted) return noted.error();
        arrival = Arrival::kFirst;
    }
    if (arrival != Arrival::kFirst) return arrival;
    const auto applied = apply(connection, event);
    if (!applied) return applied.error();
    return arrival;
}

/// An event that cannot be read now will not be readable later either, so it is put aside.
Result<void> EventConsumer::apply(Connection& connection, const OutboxEvent& event) {
    AnalyticsStore store(connection);
    const auto applied = apply_event(store, event);
    if (applied || applied.error().code() != ErrorCode::kInvalidValue) return applied;
    events_of(source_.name, "dead").Increment();
    QUIRE_LOG(error, "an event cannot be read", {"source", source_.name}, {"event", event.id()},
              {"type", event.type()}, {"why", applied.error().message()});
    return store.put_dead_letter({source_.name, event.sequence(), event.id(), event.type(),
                                  event.data_json(), applied.error().message(), clock_.now()});
}

}  // namespace quire::analytics
