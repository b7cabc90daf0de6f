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

#include <algorithm>
#include <optional>

namespace quire::analytics {
namespace {

using std::chrono::milliseconds;

/// A request is on its page within a second of its answer.
constexpr milliseconds kPoll{250};
constexpr milliseconds kPauseAfterError{1'000};
constexpr std::chrono::minutes kPruneEvery{10};
constexpr std::int64_t kPruneMax = 500;
constexpr std::chrono::hours kClockAheadMax{24};

class AnalyticsModule final : public runtime::Module {
public:
    AnalyticsModule(runtime::Wiring& wiring, std::unique_ptr<storage::Database> database)
        : loops_(wiring.loops()),
          clock_(wiring.clock()),
          retention_clock_(clock_),
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
                                     [this](const auto& request) {
                                         return prompts_->read_outbox(ctx_, request);
                                     }},
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
    /// Reads both sources and applies them in one transaction. Gives whether there is more.
    ///
    /// A settlement is committed before the story of its request, so the money is read after the
    /// stories and applied before them: no page says that a request was free when it was not. When
    /// there was too much money to read at once, younger stories wait.
    awaitable<Result<bool>> advance() {
        QUIRE_CO_TRY(Events stories, stories_->fetch());
        QUIRE_CO_TRY(const Events money, money_->fetch());
        if (money.has_more) {
            const std::int64_t until = money.list.back().time_us();
            // From the first of them on: what is left must not have a hole.
            const auto first =
                std::find_if(stories.list.begin(), stories.list.end(),
                             [&](const auto& story) { return story.time_us() > until; });
            stories.list.erase(first, stories.list.end());
        }
        if (money.list.empty() && stories.list.empty()) co_return false;
        auto work = [&](storage::Connection& connection) -> Result<void> {
            LogBatch batch(connection);
            const auto paid = money_->apply(connection, batch, money);
            if (!paid) return paid.error();
            const auto told = stories_->apply(connection, batch, stories);
            if (!told) return told.error();
            return batch.write();
        };
        const auto written = co_await database_->write(std::move(work));
        if (!written) co_return written.error();
        co_return money.has_more || stories.has_more;
    }

    awaitable<void> follow() {
        for (;;) {
            const auto state = co_await asio::this_coro::cancellation_state;
            if (is_cancelled(state)) co_return;
            const auto has_more = co_await advance();
            milliseconds pause = kPoll;
            if (!has_more) {
                if (has_more.error().code() == ErrorCode::kCancelled) co_return;
                QUIRE_LOG(warn, "events were not read", {"code", has_more.error().name()},
                          {"why", has_more.error().message()});
                pause = kPauseAfterError;
            } else if (*has_more) {
                continue;
            }
            const auto slept = co_await runtime::sleep_for(pause);
            if (!slept) co_return;
        }
    }

    awaitable<void> prune_old() {
        for (;;) {
            const Timestamp until = retention_clock_.now() - retention_;
            if (retention_clock_.now() + kClockAheadMax < clock_.now()) {
                QUIRE_LOG(warn,
                          "the clock was set far ahead: what became old by that is kept until "
                          "the next start");
            }
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
    RetentionClock retention_clock_;
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
    // What a power cut takes away here comes again from the outboxes, which are synced.
    const auto relaxed = database->writer().run_script("PRAGMA synchronous=NORMAL");
    if (!relaxed) return relaxed.error();
    auto module = std::make_unique<AnalyticsModule>(wiring, std::move(database));
    const auto built = module->build(wiring);
    if (!built) return built.error();
    return std::unique_ptr<runtime::Module>(std::move(module));
}

}  // namespace quire::analytics
