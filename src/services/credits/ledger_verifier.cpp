#include "services/credits/ledger_verifier.hpp"

namespace quire::credits {
namespace {

constexpr std::size_t kWaitingMax = 8;

}  // namespace

Result<std::unique_ptr<LedgerVerifier>> LedgerVerifier::open(const std::string& path) {
    QUIRE_TRY(auto connection, storage::SqliteConnection::open(path));
    return std::unique_ptr<LedgerVerifier>(new LedgerVerifier(std::move(connection)));
}

LedgerVerifier::LedgerVerifier(std::unique_ptr<storage::SqliteConnection> connection)
    : connection_(std::move(connection)), pool_("verify ledger", 1, kWaitingMax) {
    connection_->stop_when(is_stopping_);
}

awaitable<Result<LedgerReport>> LedgerVerifier::verify() {
    auto job = [this]() -> Result<LedgerReport> {
        if (is_stopping_) return Error(ErrorCode::kShuttingDown, "the process is stopping");
        auto check = [](storage::Connection& connection) { return check_ledger(connection); };
        return storage::in_transaction(*connection_, false, check);
    };
    auto report = co_await pool_.run(std::move(job));
    co_return report;
}

}  // namespace quire::credits
