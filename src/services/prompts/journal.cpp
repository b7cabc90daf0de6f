#include "services/prompts/journal.hpp"

#include "base/id.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "storage/outbox_page.hpp"

namespace quire::prompts {
namespace {

using storage::Connection;

constexpr std::chrono::milliseconds kGather{50};
constexpr std::chrono::milliseconds kRetry{500};
constexpr std::chrono::hours kOutcomeLife{24};
constexpr std::int64_t kPruneMax = 100;
/// What waits while the store cannot be written.
constexpr std::size_t kStoryBytesMax = 64 * 1024 * 1024;
/// Whoever consumes the events may be away for so long.
constexpr std::chrono::hours kEventLife{7 * 24};

constexpr std::string_view kCompletedType = "quire.prompts.generation_completed.v1";
constexpr std::string_view kFailedType = "quire.prompts.generation_failed.v1";

template <class Message>
Result<Message> parsed(const std::string& bytes) {
    Message message;
    if (message.ParseFromString(bytes)) return message;
    return Error(ErrorCode::kStorageUnavailable, "the journal holds what is no message");
}

void count_failed() {
    static auto& counter =
        runtime::counter_family("quire_journal_failed_total",
                                "Writes of checkpoints and stories that the store refused.")
            .Add({});
    counter.Increment();
}

void count_dropped() {
    static auto& counter = runtime::counter_family("quire_stories_dropped_total",
                                                   "Requests whose story was never told.")
                               .Add({});
    counter.Increment();
}

/// The caller got the whole of what it was meant to get.
bool is_complete(const v1::GenerationStory& story) {
    return story.status() == "completed" ||
           (story.status() == "blocked" && story.error_code().empty());
}

/// One event per request, so its id follows from the request's.
storage::OutboxRow event_of(const v1::GenerationStory& story, std::string traceparent,
                            Timestamp now) {
    storage::OutboxRow row;
    const std::string& request = story.request_id();
    row.event_id = fmt::format("evt_{}", ulid_of(request, "req").value_or(request));
    row.type = is_complete(story) ? kCompletedType : kFailedType;
    row.subject = request;
    row.payload = story.SerializeAsString();
    row.traceparent = std::move(traceparent);
    row.created_at = now;
    return row;
}

/// A checkpoint that comes after the whole answer is not newer than it.
Result<void> put_settlement(Connection& connection, const std::string& request_id,
                            const std::string& settle, Timestamp now) {
    const auto put = connection.execute(
        "INSERT INTO journal (request_id, settle, updated_at) SELECT $1, $2, $3 WHERE NOT EXISTS "
        "(SELECT 1 FROM outcomes WHERE request_id = $1) ON CONFLICT (request_id) DO UPDATE SET "
        "settle = excluded.settle, updated_at = excluded.updated_at",
        {request_id, settle, now.micros});
    if (!put) return put.error();
    return {};
}

/// The process ends, and neither ledger nor journal could be written: the next start knows of an
/// earlier note, or of the hold only, and releases it.
void tell_lost(const std::string& request_id, const std::string& bytes) {
    credits::v1::SettleRequest settle;
    settle.ParseFromString(bytes);
    QUIRE_LOG(error, "what a request used could not be noted before the end of the process",
              {"request_id", request_id}, {"input_tokens", settle.usage().input_tokens()},
              {"output_tokens", settle.usage().output_tokens()});
}

}  // namespace

void Journal::tell(const v1::GenerationStory& story, std::string traceparent) {
    storage::OutboxRow row = event_of(story, std::move(traceparent), clock_.now());
    const std::lock_guard lock(mutex_);
    if (story_bytes_ + row.payload.size() > kStoryBytesMax) return count_dropped();
    story_bytes_ += row.payload.size();
    stories_.push_back(std::move(row));
    schedule(kGather);
}

void Journal::checkpoint(const credits::v1::SettleRequest& so_far) {
    std::string bytes = so_far.SerializeAsString();
    const std::lock_guard lock(mutex_);
    waiting_.insert_or_assign(so_far.request_id(), std::move(bytes));
    schedule(kGather);
}

void Journal::forget(const std::string& request_id) {
    const std::lock_guard lock(mutex_);
    waiting_.erase(request_id);
    if (written_.erase(request_id) == 0) return;
    obsolete_.push_back(request_id);
    schedule(kGather);
}

void Journal::schedule(std::chrono::milliseconds pause) {
    if (std::exchange(is_scheduled_, true)) return;
    tasks_.spawn(loops_.next().get_executor(), "journal", flush_after(pause));
}

void Journal::put_back(Flush flush) {
    const std::lock_guard lock(mutex_);
    is_scheduled_ = false;
    std::erase_if(flush.checkpoints, [this](const auto& checkpoint) {
        return !written_.contains(checkpoint.first);  // settled since
    });
    if (is_stopping_) {
        tell_what_is_lost(flush);
        return schedule_what_waits();
    }
    waiting_.merge(flush.checkpoints);
    obsolete_.insert(obsolete_.end(), flush.obsolete.begin(), flush.obsolete.end());
    for (const auto& story : flush.stories) story_bytes_ += story.payload.size();
    flush.stories.insert(flush.stories.end(), std::make_move_iterator(stories_.begin()),
                         std::make_move_iterator(stories_.end()));
    stories_ = std::move(flush.stories);
    schedule(kRetry);
}

void Journal::tell_what_is_lost(const Flush& flush) const {
    for (const auto& [request_id, settle] : flush.checkpoints) {
        if (!waiting_.contains(request_id)) tell_lost(request_id, settle);
    }
    for (std::size_t i = 0; i < flush.stories.size(); ++i) count_dropped();
    if (flush.stories.empty()) return;
    QUIRE_LOG(warn, "pages of the request log are lost at the end of the process",
              {"count", flush.stories.size()});
}

void Journal::stop() {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    tasks_.join_blocking();
}

Result<void> Journal::write(Connection& connection, const Flush& flush) {
    const Timestamp now = clock_.now();
    for (const auto& [request_id, settle] : flush.checkpoints) {
        const auto put = put_settlement(connection, request_id, settle, now);
        if (!put) return put;
    }
    for (const std::string& request_id : flush.obsolete) {
        QUIRE_TRY([[maybe_unused]] const auto gone,
                  connection.execute("DELETE FROM journal WHERE request_id = $1", {request_id}));
    }
    return write_stories(connection, flush.stories);
}

Result<void> Journal::write_stories(Connection& connection,
                                    const std::vector<storage::OutboxRow>& stories) {
    for (const storage::OutboxRow& story : stories) {
        // A caller may give two calls one id. What is refused here would be tried again for ever,
        // and keep everything behind it from being written.
        QUIRE_TRY(const bool is_first, storage::append_event_once(connection, story));
        if (!is_first) {
            QUIRE_LOG(warn, "a request has two ends: the first one is told",
                      {"request_id", story.subject});
        }
    }
    return {};
}

awaitable<Result<common::v1::OutboxPage>> Journal::read_outbox(
    const common::v1::ReadOutboxRequest& request) {
    const auto& story = v1::GenerationStory::default_instance();
    static const storage::EventTypes types{{kCompletedType, &story}, {kFailedType, &story}};
    auto page = co_await storage::read_outbox_page(database_, request, types);
    co_return page;
}

awaitable<void> Journal::flush_after(std::chrono::milliseconds pause) {
    const auto gathered = co_await runtime::sleep_for(pause);
    ignore(gathered, "only gathers");
    Flush flush = take_waiting();
    auto work = [&](Connection& connection) { return write(connection, flush); };
    const auto written = co_await database_.write(std::move(work));
    if (written) {
        end_flush();
        co_return;
    }
    QUIRE_LOG(warn, "checkpoints were not written", {"why", written.error().message()});
    count_failed();
    put_back(std::move(flush));
}

Journal::Flush Journal::take_waiting() {
    const std::lock_guard lock(mutex_);
    Flush flush;
    flush.checkpoints.swap(waiting_);
    flush.obsolete.swap(obsolete_);
    flush.stories.swap(stories_);
    story_bytes_ = 0;
    for (const auto& [request_id, settle] : flush.checkpoints) written_.insert(request_id);
    return flush;
}

void Journal::end_flush() {
    const std::lock_guard lock(mutex_);
    is_scheduled_ = false;
    schedule_what_waits();
}

void Journal::schedule_what_waits() {
    if (!waiting_.empty() || !obsolete_.empty() || !stories_.empty()) schedule(kGather);
}

awaitable<Result<void>> Journal::put_outcome(const rpc::CallContext& ctx,
                                             const credits::v1::SettleRequest& settle,
                                             const v1::StoredAnswer& answer) {
    const Timestamp now = clock_.now();
    const std::string bytes = settle.SerializeAsString();
    auto write = [&](Connection& connection) -> Result<void> {
        const auto kept = put_settlement(connection, settle.request_id(), bytes, now);
        if (!kept) return kept;
        QUIRE_TRY(
            [[maybe_unused]] const auto put,
            connection.execute("INSERT INTO outcomes (org_id, project_id, request_id, "
                               "settle, answer, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
                               {ctx.principal.org_id, ctx.principal.project_id, settle.request_id(),
                                bytes, answer.SerializeAsString(), (now + kOutcomeLife).micros}));
        return {};
    };
    const auto written = co_await database_.write(std::move(write));
    if (!written) co_return written.error();
    const std::lock_guard lock(mutex_);
    written_.insert(settle.request_id());
    co_return Result<void>();
}

awaitable<Result<std::optional<v1::StoredAnswer>>> Journal::find_answer(
    const rpc::CallContext& ctx, const std::string& request_id) {
    auto read = [&](Connection& connection) {
        return connection.query(
            "SELECT answer FROM outcomes WHERE request_id = $1 AND org_id = $2 AND project_id = $3",
            {request_id, ctx.principal.org_id, ctx.principal.project_id});
    };
    QUIRE_CO_TRY(const auto rows, database_.read(std::move(read)));
    if (rows.empty()) co_return std::optional<v1::StoredAnswer>();
    auto answer = parsed<v1::StoredAnswer>(rows.front().text(0));
    if (!answer) co_return answer.error();
    co_return std::optional(*std::move(answer));
}

awaitable<Result<std::vector<credits::v1::SettleRequest>>> Journal::unsettled() {
    auto read = [](Connection& connection) {
        return connection.query("SELECT settle FROM journal ORDER BY request_id");
    };
    QUIRE_CO_TRY(const auto rows, database_.read(std::move(read)));
    std::vector<credits::v1::SettleRequest> list;
    for (const storage::Row& row : rows) {
        auto settle = parsed<credits::v1::SettleRequest>(row.text(0));
        if (!settle) co_return settle.error();
        list.push_back(*std::move(settle));
    }
    co_return list;
}

awaitable<Result<void>> Journal::clear() {
    auto write = [](Connection& connection) -> Result<void> {
        QUIRE_TRY([[maybe_unused]] const auto gone, connection.execute("DELETE FROM journal"));
        return {};
    };
    auto written = co_await database_.write(std::move(write));
    co_return written;
}

awaitable<Result<bool>> Journal::prune() {
    const Timestamp now = retention_clock_.now();
    auto write = [this, now](Connection& connection) -> Result<bool> {
        QUIRE_TRY(const std::int64_t gone,
                  connection.execute("DELETE FROM outcomes WHERE rowid IN (SELECT rowid FROM "
                                     "outcomes WHERE expires_at < $1 LIMIT $2)",
                                     {now.micros, kPruneMax}));
        QUIRE_TRY(const bool has_more, retention_.prune(connection, now - kEventLife, now));
        return has_more || gone >= kPruneMax;
    };
    auto pruned = co_await database_.write(std::move(write));
    co_return pruned;
}

}  // namespace quire::prompts
