#include "services/prompts/journal.hpp"

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace quire::prompts {
namespace {

using storage::Connection;

constexpr std::chrono::milliseconds kGather{50};
constexpr std::chrono::milliseconds kRetry{500};
constexpr std::chrono::hours kOutcomeLife{24};
constexpr std::int64_t kPruneMax = 100;

template <class Message>
Result<Message> parsed(const std::string& bytes) {
    Message message;
    if (message.ParseFromString(bytes)) return message;
    return Error(ErrorCode::kStorageUnavailable, "the journal holds what is no message");
}

void count_failed() {
    static auto& counter = runtime::counter_family("quire_journal_failed_total",
                                                   "Writes of checkpoints that the store refused.")
                               .Add({});
    counter.Increment();
}

}  // namespace

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
    if (is_stopping_) return;
    waiting_.merge(flush.checkpoints);
    obsolete_.insert(obsolete_.end(), flush.obsolete.begin(), flush.obsolete.end());
    schedule(kRetry);
}

void Journal::stop() {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    tasks_.join_blocking();
}

Result<void> Journal::write(Connection& connection, const Flush& flush, Timestamp now) {
    for (const auto& [request_id, settle] : flush.checkpoints) {
        QUIRE_TRY([[maybe_unused]] const auto put,
                  connection.execute("INSERT INTO journal (request_id, settle, updated_at) VALUES "
                                     "($1, $2, $3) ON CONFLICT (request_id) DO UPDATE SET settle = "
                                     "excluded.settle, updated_at = excluded.updated_at",
                                     {request_id, settle, now.micros}));
    }
    for (const std::string& request_id : flush.obsolete) {
        QUIRE_TRY([[maybe_unused]] const auto gone,
                  connection.execute("DELETE FROM journal WHERE request_id = $1", {request_id}));
    }
    return {};
}

awaitable<void> Journal::flush_after(std::chrono::milliseconds pause) {
    const auto gathered = co_await runtime::sleep_for(pause);
    ignore(gathered, "only gathers");
    Flush flush;
    {
        const std::lock_guard lock(mutex_);
        is_scheduled_ = false;
        flush.checkpoints.swap(waiting_);
        flush.obsolete.swap(obsolete_);
        for (const auto& [request_id, settle] : flush.checkpoints) written_.insert(request_id);
    }
    auto work = [&](Connection& connection) { return write(connection, flush, clock_.now()); };
    const auto written = co_await database_.write(std::move(work));
    if (written) co_return;
    QUIRE_LOG(warn, "checkpoints were not written", {"why", written.error().message()});
    count_failed();
    put_back(std::move(flush));
}

awaitable<Result<void>> Journal::put_outcome(const rpc::CallContext& ctx,
                                             const credits::v1::SettleRequest& settle,
                                             const v1::StoredAnswer& answer) {
    const Timestamp now = clock_.now();
    auto write = [&](Connection& connection) -> Result<void> {
        QUIRE_TRY([[maybe_unused]] const auto pruned,
                  connection.execute("DELETE FROM outcomes WHERE rowid IN (SELECT rowid FROM "
                                     "outcomes WHERE expires_at < $1 LIMIT $2)",
                                     {now.micros, kPruneMax}));
        QUIRE_TRY([[maybe_unused]] const auto put,
                  connection.execute("INSERT INTO outcomes (org_id, project_id, request_id, "
                                     "settle, answer, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
                                     {ctx.principal.org_id, ctx.principal.project_id,
                                      settle.request_id(), settle.SerializeAsString(),
                                      answer.SerializeAsString(), (now + kOutcomeLife).micros}));
        return {};
    };
    auto written = co_await database_.write(std::move(write));
    co_return written;
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

awaitable<Result<std::optional<credits::v1::SettleRequest>>> Journal::find_settlement(
    const std::string& request_id) {
    auto read = [&](Connection& connection) {
        return connection.query(
            "SELECT settle FROM outcomes WHERE request_id = $1 UNION ALL "
            "SELECT settle FROM journal WHERE request_id = $1",
            {request_id});
    };
    QUIRE_CO_TRY(const auto rows, database_.read(std::move(read)));
    if (rows.empty()) co_return std::optional<credits::v1::SettleRequest>();
    auto settle = parsed<credits::v1::SettleRequest>(rows.front().text(0));
    if (!settle) co_return settle.error();
    co_return std::optional(*std::move(settle));
}

awaitable<Result<void>> Journal::clear() {
    auto write = [](Connection& connection) -> Result<void> {
        QUIRE_TRY([[maybe_unused]] const auto gone, connection.execute("DELETE FROM journal"));
        return {};
    };
    auto written = co_await database_.write(std::move(write));
    co_return written;
}

}  // namespace quire::prompts
