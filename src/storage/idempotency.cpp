#include "storage/idempotency.hpp"

namespace quire::storage {
namespace {

constexpr std::int64_t kForgottenMax = 100;

std::int64_t oldest_alive(Timestamp now) { return (now - kIdempotencyLife).micros; }

}  // namespace

Result<std::optional<std::string>> find_first_answer(Connection& connection,
                                                     const IdempotentCall& call, Timestamp now) {
    if (call.key.empty()) return std::optional<std::string>();
    QUIRE_TRY(const auto rows,
              connection.query("SELECT request_hash, answer FROM idempotency_keys WHERE org_id = "
                               "$1 AND project_id = $2 AND key = $3 AND created_at > $4",
                               {call.org_id, call.project_id, call.key, oldest_alive(now)}));
    if (rows.empty()) return std::optional<std::string>();
    if (rows.front().text(0) != call.request_hash) {
        return Error(ErrorCode::kIdempotencyKeyReused,
                     "this Idempotency-Key was used for another request; take a new one");
    }
    return std::optional(rows.front().text(1));
}

Result<void> keep_first_answer(Connection& connection, const IdempotentCall& call,
                               std::string answer, Timestamp now) {
    if (call.key.empty()) return {};
    const auto forgotten = connection.execute(
        "DELETE FROM idempotency_keys WHERE rowid IN (SELECT rowid FROM "
        "idempotency_keys WHERE created_at <= $1 LIMIT $2)",
        {oldest_alive(now), kForgottenMax});
    if (!forgotten) return forgotten.error();
    const auto kept = connection.execute(
        "INSERT INTO idempotency_keys (org_id, project_id, key, request_hash, answer, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (org_id, project_id, key) DO UPDATE SET "
        "request_hash = excluded.request_hash, answer = excluded.answer, created_at = "
        "excluded.created_at",
        {call.org_id, call.project_id, call.key, call.request_hash, std::move(answer), now.micros});
    if (!kept) return kept.error();
    return {};
}

}  // namespace quire::storage
