#pragma once

#include "runtime/blocking_pool.hpp"
#include "services/credits/ledger_checks.hpp"
#include "storage/sqlite_connection.hpp"

#include <atomic>
#include <memory>
#include <string>

namespace quire::credits {

/// Reads every transfer there is, on a thread and a connection of its own: a long look holds up
/// nobody who asks for a balance, and ends when the process does. Safe from several loops.
class LedgerVerifier {
public:
    static Result<std::unique_ptr<LedgerVerifier>> open(const std::string& path);

    /// All invariants, as of one moment; one look at a time, few may wait. kOverloaded,
    /// kShuttingDown, kStorageUnavailable.
    awaitable<Result<LedgerReport>> verify();
    /// Ends the look that runs, and every later one, with kShuttingDown.
    void stop() { is_stopping_ = true; }

private:
    explicit LedgerVerifier(std::unique_ptr<storage::SqliteConnection> connection);

    std::atomic<bool> is_stopping_{false};
    std::unique_ptr<storage::SqliteConnection> connection_;
    runtime::BlockingPool pool_;
};

}  // namespace quire::credits
