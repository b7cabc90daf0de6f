#include "services/auth/auth_module.hpp"

#include "auth_migrations.hpp"
#include "quire/auth/v1/auth_rpc.hpp"
#include "services/auth/auth_service.hpp"

namespace quire::auth {
namespace {

class AuthModule final : public runtime::Module {
public:
    explicit AuthModule(std::unique_ptr<storage::Database> database)
        : database_(std::move(database)) {}

    void offer(runtime::Wiring& wiring) {
        service_ = std::make_shared<AuthService>(*database_, wiring.clock(), wiring.rng());
        wiring.provide<Auth>(service_, auth_methods(*service_));
        wiring.first_run = {[this] { return service_->prepare_first_run(); },
                            [this] { return service_->complete_first_run(); }};
    }

private:
    std::unique_ptr<storage::Database> database_;
    std::shared_ptr<AuthService> service_;
};

}  // namespace

Result<std::unique_ptr<runtime::Module>> make_auth(runtime::Wiring& wiring) {
    const std::string path = wiring.data() / "auth.db";
    QUIRE_TRY(auto database, storage::Database::open_sqlite(path, storage::PoolSizes()));
    const auto migrated = storage::migrate(database->writer(), kMigrations, path, wiring.clock());
    if (!migrated) return migrated.error();
    auto module = std::make_unique<AuthModule>(std::move(database));
    module->offer(wiring);
    return std::unique_ptr<runtime::Module>(std::move(module));
}

}  // namespace quire::auth
