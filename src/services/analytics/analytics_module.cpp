#include "services/analytics/analytics_module.hpp"

#include "quire/analytics/v1/analytics_rpc.hpp"
#include "quire/credits/v1/credits_port.hpp"
#include "quire/prompts/v1/prompts_port.hpp"
#include "runtime/log.hpp"
#include "runtime/task_group.hpp"
#include "services/analytics/analytics_config.hpp"
#include "services/analytics/analytics_schema.hpp"
#include "services/analytics/analytics_service.hpp"
#include "services/analytics/analytics_store.hpp"
#include "services/analytics/event_consumer.hpp"

#include <optional>

namespace quire::analytics {
namespace {

using std::chrono::milliseconds;

/// A request is on its page within a second of its answer.
constexpr milliseconds kPoll{100};
constexpr milliseconds kPauseAfterError{1'000};
constexpr std::chrono::minutes kPruneEvery{10};
constexpr std::int64_t kPruneMax = 500;

class AnalyticsModule final : public runtime::Module {
public:
    AnalyticsModule(runtime::Wiring& wiring, std::unique_ptr<storage::Database> database)
        : loops_(wiring.loops()),
          clock_(wiring.clock()),
          retention_(wiring.settings<AnalyticsConfig>().retention),
          database_(std::move(database)) {}

    Result<void> build(runtime::Wiring& wiring) {
        QUIRE_TRY(credits_, wiring.need<credits::Credits>("credits"));
        QUIRE_TRY(prompts_, wiring.need<prompts::Prompts>("prompts"));
        money_.emplace(*database_,
                       EventSource{"/services/credits",
                                   [this](const auto& request) {
                                       return credits_->read_outbox(ctx_, request);
                                   }},
                       clock_);
        stories_.emplace(*database_,
                         EventSource{"/services/prompts",
                                     [this](const auto& request) { return read_stories(request); }},
                         clock_);
        service_ = std::make_shared<AnalyticsService>(*database_);
        wiring.provide<Analytics>(service_, analytics_methods(*service_));
        return {};
    }

    Result<void> start() override {
        const auto executor = loops_.loop(0).get_executor();
        tasks_.spawn(executor, "consume events", follow());
        tasks_.spawn(executor, "retention", prune_old());
        return {};
    }
    void stop() override {
        tasks_.cancel();
        tasks_.join_blocking();
    }

private:
    /// A settlement is committed before the story of its request. So all the money that these
    /// stories could name is in the log before they are: no page says that a request was free when
    /// it was not.
    awaitable<Result<common::v1::OutboxPage>> read_stories(
        const common::v1::ReadOutboxRequest& request) {
        QUIRE_CO_TRY(auto page, prompts_->read_outbox(ctx_, request));
        if (page.events().empty()) co_return page;
        const auto caught_up = co_await money_->catch_up();
        if (!caught_up) co_return caught_up.error();
        co_return page;
    }

    /// False when it did not work; logged.
    awaitable<bool> catch_up(EventConsumer& consumer) {
        const auto caught_up = co_await consumer.catch_up();
        if (caught_up) co_return true;
        const Error& error = caught_up.error();
        if (error.code() == ErrorCode::kCancelled) co_return false;
        QUIRE_LOG(warn, "events were not read", {"source", consumer.source()},
                  {"code", error.name()}, {"why", error.message()});
        co_return false;
    }

    awaitable<void> follow() {
        milliseconds pause = kPoll;
        for (;;) {
            const bool has_money = co_await catch_up(*money_);
            const bool has_stories = co_await catch_up(*stories_);
            pause = has_money && has_stories ? kPoll : kPauseAfterError;
            const auto slept = co_await runtime::sleep_for(pause);
            if (!slept) co_return;
        }
    }

    awaitable<void> prune_old() {
        for (;;) {
            const Timestamp until = clock_.now() - retention_;
            auto work = [until](storage::Connection& connection) {
                return AnalyticsStore(connection).prune(until, kPruneMax);
            };
            const auto gone = co_await database_->write(std::move(work));
            if (!gone) {
                QUIRE_LOG(warn, "old requests were not deleted", {"why", gone.error().message()});
            }
            const bool has_more = gone && *gone >= kPruneMax;
            const milliseconds pause = has_more ? kPoll : milliseconds(kPruneEvery);
            const auto slept = co_await runtime::sleep_for(pause);
            if (!slept) co_return;
        }
    }

    runtime::EventLoops& loops_;
    const Clock& clock_;
    milliseconds retention_;
    std::unique_ptr<storage::Database> database_;
    const rpc::CallContext ctx_;
    std::shared_ptr<credits::Credits> credits_;
    std::shared_ptr<prompts::Prompts> prompts_;
    std::optional<EventConsumer> money_;
    std::optional<EventConsumer> stories_;
    std::shared_ptr<AnalyticsService> service_;
    runtime::TaskGroup tasks_;
};

}  // namespace

Result<std::unique_ptr<runtime::Module>> make_analytics(runtime::Wiring& wiring) {
    const std::string path = wiring.data() / "analytics.db";
    QUIRE_TRY(auto database, storage::Database::open_sqlite(path, storage::PoolSizes()));
    const auto migrated = migrate_analytics(database->writer(), path, wiring.clock());
    if (!migrated) return migrated.error();
    auto module = std::make_unique<AnalyticsModule>(wiring, std::move(database));
    const auto built = module->build(wiring);
    if (!built) return built.error();
    return std::unique_ptr<runtime::Module>(std::move(module));
}

}  // namespace quire::analytics
