#include "services/analytics/event_consumer.hpp"

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "services/analytics/analytics_events.hpp"

namespace quire::analytics {
namespace {

using common::v1::OutboxEvent;
using storage::Arrival;
using storage::Connection;

constexpr std::int32_t kPageSize = 1000;
constexpr std::size_t kEventsMax = 4'000;
/// Texts of requests may be among them.
constexpr std::size_t kBytesMax = 8 * 1024 * 1024;
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
    auto work = [&](Connection& connection) { return take(connection, event); };
    QUIRE_CO_TRY(const Arrival arrival, database_.write(std::move(work)));
    if (arrival == Arrival::kDuplicate) events_of(source_.name, "duplicate").Increment();
    if (arrival == Arrival::kFirst) events_of(source_.name, "applied").Increment();
    if (arrival != Arrival::kGap) co_return Result<void>();
    events_of(source_.name, "early").Increment();
    const auto caught_up = co_await catch_up();
    if (!caught_up) co_return caught_up.error();
    co_return Result<void>();
}

awaitable<Result<std::int64_t>> EventConsumer::last_applied() {
    auto read = [this](Connection& connection) {
        return storage::last_received(connection, kConsumer, source_.name);
    };
    auto last = co_await database_.read(std::move(read));
    co_return last;
}

awaitable<Result<std::int64_t>> EventConsumer::catch_up() {
    std::int64_t count = 0;
    for (bool has_more = true; has_more;) {
        QUIRE_CO_TRY(const Events events, fetch());
        has_more = events.has_more;
        if (events.list.empty()) co_return count;
        auto work = [&](Connection& connection) -> Result<std::int64_t> {
            LogBatch batch(connection);
            QUIRE_TRY(const std::int64_t applied, apply(connection, batch, events));
            const auto written = batch.write();
            if (!written) return written.error();
            return applied;
        };
        QUIRE_CO_TRY(const std::int64_t applied, database_.write(std::move(work)));
        count += applied;
    }
    co_return count;
}

awaitable<Result<Events>> EventConsumer::fetch() {
    Events events;
    QUIRE_CO_TRY(const std::int64_t last, last_applied());
    common::v1::ReadOutboxRequest request;
    request.set_after_sequence(last);
    request.set_limit(kPageSize);
    request.set_binary(true);
    std::size_t bytes = 0;
    while (events.list.size() < kEventsMax && bytes < kBytesMax) {
        QUIRE_CO_TRY(common::v1::OutboxPage page, source_.read(request));
        events.has_more = page.has_more() && page.events_size() > 0;
        for (OutboxEvent& event : *page.mutable_events()) {
            bytes += event.data().size() + event.data_json().size();
            events.list.push_back(std::move(event));
        }
        if (!events.has_more) co_return events;
        request.set_after_sequence(events.list.back().sequence());
    }
    co_return events;
}

Result<std::int64_t> EventConsumer::apply(Connection& connection, LogBatch& batch,
                                          const Events& events) {
    std::int64_t count = 0;
    QUIRE_TRY(std::int64_t last, storage::last_received(connection, kConsumer, source_.name));
    for (const OutboxEvent& event : events.list) {
        if (event.sequence() <= last) continue;
        if (event.sequence() != last + 1) {
            // The source itself has no such rows: it keeps its events for some time only.
            QUIRE_LOG(warn, "events are gone at their source", {"source", source_.name},
                      {"before", event.sequence()});
        }
        const auto applied = apply_one(batch, event);
        if (!applied) return applied.error();
        last = event.sequence();
        ++count;
    }
    if (count == 0) return count;
    const auto noted = storage::note_received(connection, receipt_of(events.list.back()));
    if (!noted) return noted.error();
    events_of(source_.name, "applied").Increment(static_cast<double>(count));
    return count;
}

Result<Arrival> EventConsumer::take(Connection& connection, const OutboxEvent& event) {
    QUIRE_TRY(const Arrival arrival, storage::receive(connection, receipt_of(event)));
    if (arrival != Arrival::kFirst) return arrival;
    LogBatch batch(connection);
    const auto applied = apply_one(batch, event);
    if (!applied) return applied.error();
    const auto written = batch.write();
    if (!written) return written.error();
    return arrival;
}

storage::Receipt EventConsumer::receipt_of(const OutboxEvent& event) const {
    return {kConsumer, source_.name, event.id(), event.sequence(), clock_.now()};
}

/// An event that cannot be read now will not be readable later either, so it is put aside.
Result<void> EventConsumer::apply_one(LogBatch& batch, const OutboxEvent& event) {
    const auto applied = apply_event(batch, event);
    if (applied || applied.error().code() != ErrorCode::kInvalidValue) return applied;
    events_of(source_.name, "dead").Increment();
    QUIRE_LOG(error, "an event cannot be read", {"source", source_.name}, {"event", event.id()},
              {"type", event.type()}, {"why", applied.error().message()});
    return batch.put_dead_letter({source_.name, event.sequence(), event.id(), event.type(),
                                  event.data_json().empty() ? event.data() : event.data_json(),
                                  applied.error().message(), clock_.now()});
}

}  // namespace quire::analytics
