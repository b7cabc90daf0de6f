#include "services/credits/credits_module.hpp"

#include "quire/credits/v1/credits_rpc.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "runtime/task_group.hpp"
#include "services/credits/credits_service.hpp"
#include "services/credits/ledger_schema.hpp"
#include "storage/sqlite_connection.hpp"

namespace quire::credits {
namespace {

std::string path_in(const std::filesystem::path& data) { return data / "credits.db"; }

Error violated(const LedgerReport& report) {
    return {ErrorCode::kStorageUnavailable,
            fmt::format("the ledger's invariants do not hold ({}); keep a copy of the data folder "
                        "and restore an earlier one",
                        fmt::join(report.violations, "; "))};
}

class CreditsModule final : public runtime::Module {
public:
    CreditsModule(runtime::Wiring& wiring, std::unique_ptr<storage::Database> database)
        : loops_(wiring.loops()),
          database_(std::move(database)),
          ledger_([path = path_in(wiring.data())] { return open_store(path); }, wiring.clock(),
                  wiring.rng()),
          writer_(ledger_, wiring.clock(),
                  static_cast<std::size_t>(wiring.settings<CreditsConfig>().queue)) {}

    Result<void> build(runtime::Wiring& wiring) {
        const CreditsConfig& config = wiring.settings<CreditsConfig>();
        auto update = [&](storage::Connection& connection) {
            return update_prices(connection, config.catalog, wiring.clock().now());
        };
        QUIRE_TRY(PriceList prices, database_->write_blocking(std::move(update)));
        auto check = [](storage::Connection& connection) { return check_ledger(connection, true); };
        QUIRE_TRY(const LedgerReport report, database_->write_blocking(std::move(check)));
        if (!report.is_ok()) return violated(report);
        const auto opened = ledger_.open();
        if (!opened) return opened;
        QUIRE_TRY(verifier_, LedgerVerifier::open(path_in(wiring.data())));
        const CreditsService::Deps deps{writer_, *database_, *verifier_};
        service_ = std::make_shared<CreditsService>(deps, config, std::move(prices));
        wiring.provide<Credits>(service_, credits_methods(*service_));
        writer_.start();
        return {};
    }

    Result<void> start() override {
        tasks_.spawn(loops_.loop(0).get_executor(), "verify the ledger", verify_all());
        return {};
    }
    void begin_drain() override { verifier_->stop(); }
    void stop() override {
        verifier_->stop();
        tasks_.cancel();
        tasks_.join_blocking();
        writer_.stop();
    }

private:
    static Result<std::unique_ptr<LedgerStore>> open_store(const std::string& path) {
        QUIRE_TRY(auto connection, storage::SqliteConnection::open(path));
        // A checkpoint holds the commits up, and what the log says of a hot page is copied once.
        // Debian's SQLite overwrites what is deleted; a closed hold is no secret.
        const auto set =
            connection->run_script("PRAGMA wal_autocheckpoint=8000; PRAGMA secure_delete=OFF;");
        if (!set) return set.error();
        return std::make_unique<LedgerStore>(std::move(connection));
    }

    /// Reads every transfer, so it must not hold up the start.
    awaitable<void> verify_all() {
        static auto& violations = runtime::gauge_family("quire_ledger_violations",
                                                        "Invariants that did not hold at start.")
                                      .Add({});
        const auto report = co_await verifier_->verify();
        if (!report && report.error().code() == ErrorCode::kShuttingDown) co_return;
        if (!report) {
            QUIRE_LOG(warn, "the ledger was not verified", {"why", report.error().message()});
            co_return;
        }
        violations.Set(static_cast<double>(report->violations.size()));
        QUIRE_LOG(info, "the ledger was verified", {"violations", report->violations.size()});
        for (const std::string& violation : report->violations) {
            QUIRE_LOG(error, "a ledger invariant does not hold", {"violation", violation});
        }
    }

    runtime::EventLoops& loops_;
    std::unique_ptr<storage::Database> database_;
    Ledger ledger_;
    LedgerWriter writer_;
    std::unique_ptr<LedgerVerifier> verifier_;
    std::shared_ptr<CreditsService> service_;
    runtime::TaskGroup tasks_;
};

}  // namespace

Result<std::unique_ptr<runtime::Module>> make_credits(runtime::Wiring& wiring) {
    const std::string path = path_in(wiring.data());
    QUIRE_TRY(auto database, storage::Database::open_sqlite(path, storage::PoolSizes()));
    const auto migrated = migrate_ledger(database->writer(), path, wiring.clock());
    if (!migrated) return migrated.error();
    auto module = std::make_unique<CreditsModule>(wiring, std::move(database));
    const auto built = module->build(wiring);
    if (!built) return built.error();
    return std::unique_ptr<runtime::Module>(std::move(module));
}

Result<LedgerReport> verify_ledger(const std::filesystem::path& data) {
    const std::string path = path_in(data);
    std::error_code ec;
    if (!std::filesystem::exists(path, ec)) {
        return Error(ErrorCode::kNotFound, fmt::format("there is no ledger at {}", path));
    }
    QUIRE_TRY(auto connection, storage::SqliteConnection::open(path));
    const auto known = check_ledger_schema(*connection, path);
    if (!known) return known.error();
    auto check = [](storage::Connection& open) { return check_ledger(open); };
    return storage::in_transaction(*connection, false, check);
}

}  // namespace quire::credits
