#include "services/auth/auth_module.hpp"

#include "auth_migrations.hpp"
#include "quire/auth/v1/auth_rpc.hpp"
#include "runtime/task_group.hpp"
#include "services/auth/auth_service.hpp"

namespace quire::auth {
namespace {

class AuthModule final : public runtime::Module {
public:
    AuthModule(runtime::Wiring& wiring, std::unique_ptr<storage::Database> database)
        : loops_(wiring.loops()), database_(std::move(database)) {}

    void offer(runtime::Wiring& wiring) {
        service_ = std::make_shared<AuthService>(*database_, wiring.clock(), wiring.rng());
        wiring.provide<Auth>(service_, auth_methods(*service_));
        wiring.first_run = {[this] { return service_->prepare_first_run(); },
                            [this] { return complete_first_run(); }};
    }

private:
    /// Requests are served already, so it takes its turn at the store like them.
    Result<void> complete_first_run() {
        return runtime::run_blocking<void>(loops_.loop(0).get_executor(), "first run",
                                           service_->complete_first_run());
    }

    runtime::EventLoops& loops_;
    std::unique_ptr<storage::Database> database_;
    std::shared_ptr<AuthService> service_;
};

}  // namespace

Result<std::unique_ptr<runtime::Module>> make_auth(runtime::Wiring& wiring) {
    const std::string path = wiring.data() / "auth.db";
    QUIRE_TRY(auto database, storage::Database::open_sqlite(path, storage::PoolSizes()));
    const auto migrated = storage::migrate(database->writer(), kMigrations, path, wiring.clock());
    if (!migrated) return migrated.error();
    auto module = std::make_unique<AuthModule>(wiring, std::move(database));
    module->offer(wiring);
    return std::unique_ptr<runtime::Module>(std::move(module));
}

}  // namespace quire::auth
