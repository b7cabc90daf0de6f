#pragma once

#include "base/clock.hpp"
#include "storage/connection.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace quire::storage {

/// The table that a migration makes in the store of every service whose calls create something.
inline constexpr std::string_view kIdempotencyTable =
    "CREATE TABLE idempotency_keys (org_id TEXT NOT NULL, project_id TEXT NOT NULL, key TEXT NOT "
    "NULL, request_hash TEXT NOT NULL, answer TEXT NOT NULL, created_at INTEGER NOT NULL, "
    "PRIMARY KEY (org_id, project_id, key)) STRICT;"
    "CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);";

inline constexpr std::chrono::hours kIdempotencyLife{24};

/// A call that its caller may repeat. The project and the key are unique while the key lives.
struct IdempotentCall {
    std::string org_id;
    std::string project_id;
    std::string key;           ///< "" = none: the call is never a repeat
    std::string request_hash;  ///< tells two calls with the same key apart
};

/// `now` is a RetentionClock's: a clock that is set ahead must not end the life of young keys.
///
/// What the first call with this key was answered, nullopt where this is the first.
/// kIdempotencyKeyReused where the first was another request.
Result<std::optional<std::string>> find_first_answer(Connection& connection,
                                                     const IdempotentCall& call, Timestamp now);
/// Notes the answer of a first call, in the transaction that makes it true. Forgets a few of the
/// keys whose life is over.
Result<void> keep_first_answer(Connection& connection, const IdempotentCall& call,
                               std::string answer, Timestamp now);

}  // namespace quire::storage
