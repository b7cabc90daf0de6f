#include "services/prompts/prompts_module.hpp"

#include "base/id.hpp"
#include "quire/prompts/v1/prompts_rpc.hpp"
#include "runtime/log.hpp"
#include "runtime/task_group.hpp"
#include "services/prompts/prompts_schema.hpp"
#include "services/prompts/prompts_service.hpp"
#include "services/prompts/recovery.hpp"

namespace quire::prompts {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPruneFirst{std::chrono::minutes(1)};
constexpr milliseconds kPruneEvery{std::chrono::minutes(10)};
constexpr milliseconds kPrunePause{25};

class PromptsModule final : public runtime::Module {
public:
    PromptsModule(runtime::Wiring& wiring, std::unique_ptr<storage::Database> database,
                  std::shared_ptr<credits::Credits> credits)
        : loops_(wiring.loops()),
          database_(std::move(database)),
          journal_(*database_, wiring.loops(), wiring.clock()),
          settlements_(std::move(credits), journal_) {}

    Result<void> build(runtime::Wiring& wiring) {
        GenerationDeps deps{nullptr, nullptr, nullptr, settlements_, journal_, wiring.clock(), ""};
        QUIRE_TRY(deps.credits, wiring.need<credits::Credits>("credits"));
        QUIRE_TRY(deps.review, wiring.need<review::Review>("review"));
        QUIRE_TRY(deps.inference, wiring.need<inference::Inference>("inference"));
        deps.content = wiring.settings<ContentConfig>();
        deps.owner = "prompts@" + make_ulid(wiring.clock().now(), wiring.rng());
        service_ = std::make_shared<PromptsService>(std::move(deps), *database_);
        wiring.provide<Prompts>(service_, prompts_methods(*service_));
        return {};
    }

    /// The folder is this process's alone, so whoever made the holds that are open is dead.
    Result<void> start() override {
        const auto recovered = runtime::run_blocking<void>(
            loops_.loop(0).get_executor(), "recovery", recover_holds(service_->deps()));
        if (!recovered) return Error(recovered.error()).in("recovery of open requests");
        tasks_.spawn(loops_.loop(0).get_executor(), "retention of answers", prune_old());
        return {};
    }
    void stop() override {
        tasks_.cancel();
        tasks_.join_blocking();
        settlements_.stop();
        journal_.stop();
    }

private:
    /// Answers and events hold texts, so their time ends whether anybody asks or not.
    awaitable<void> prune_old() {
        // Whoever consumes the events has not heard the last of the process before this one.
        milliseconds pause = kPruneFirst;
        for (;;) {
            const auto slept = co_await runtime::sleep_for(pause);
            if (!slept) co_return;
            const auto has_more = co_await journal_.prune();
            if (!has_more) {
                QUIRE_LOG(warn, "old answers were not deleted",
                          {"why", has_more.error().message()});
            }
            pause = has_more && *has_more ? kPrunePause : kPruneEvery;
        }
    }

    runtime::EventLoops& loops_;
    std::unique_ptr<storage::Database> database_;
    Journal journal_;
    Settlements settlements_;
    std::shared_ptr<PromptsService> service_;
    runtime::TaskGroup tasks_;
};

}  // namespace

Result<std::unique_ptr<runtime::Module>> make_prompts(runtime::Wiring& wiring) {
    const std::string path = wiring.data() / "prompts.db";
    QUIRE_TRY(auto database, storage::Database::open_sqlite(path, storage::PoolSizes()));
    const auto migrated = migrate_prompts(database->writer(), path, wiring.clock());
    if (!migrated) return migrated.error();
    QUIRE_TRY(auto credits, wiring.need<credits::Credits>("credits"));
    auto module = std::make_unique<PromptsModule>(wiring, std::move(database), std::move(credits));
    const auto built = module->build(wiring);
    if (!built) return built.error();
    return std::unique_ptr<runtime::Module>(std::move(module));
}

}  // namespace quire::prompts
