#include "services/analytics/analytics_module.hpp"

#include "base/id.hpp"
#include "quire/analytics/v1/analytics_port.hpp"
#include "quire/credits/v1/credits_fake.hpp"
#include "quire/prompts/v1/prompts_fake.hpp"
#include "services/analytics/analytics_config.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <thread>

namespace quire::analytics {
namespace {

using namespace std::chrono_literals;
using common::v1::OutboxEvent;

/// The service as its module runs it, between two outboxes that the test fills.
class AnalyticsModuleTest : public testing::Test {
protected:
    ~AnalyticsModuleTest() override {
        stop();
        loops_.stop();
    }

    void start(std::chrono::milliseconds retention = 24h) {
        wiring_.emplace(loops_, clock_, rng_, folder_.path());
        wiring_->set_settings(AnalyticsConfig{retention});
        const auto credits = std::make_shared<credits::FakeCredits>();
        credits->on_read_outbox = [this](const auto&, const auto& request) {
            if (request.after_sequence() >= slow_after_) std::this_thread::sleep_for(300ms);
            return page_of(settlements_, request);
        };
        const auto prompts = std::make_shared<prompts::FakePrompts>();
        prompts->on_read_outbox = [this](const auto&, const auto& request) {
            return page_of(stories_, request);
        };
        wiring_->provide<credits::Credits>(credits, {});
        wiring_->provide<prompts::Prompts>(prompts, {});
        auto made = make_analytics(*wiring_);
        ASSERT_TRUE(made);
        module_ = *std::move(made);
        auto offered = wiring_->need<Analytics>("the test");
        ASSERT_TRUE(offered);
        port_ = *std::move(offered);
        ASSERT_TRUE(module_->start());
    }
    void stop() {
        if (module_) module_->stop();
        port_.reset();
        module_.reset();
        wiring_.reset();
    }

    std::string settle(Timestamp at) {
        std::string id = make_id("req", at, rng_);
        credits::v1::Settled message;
        message.set_org_id("org_1");
        message.set_project_id("prj_1");
        message.set_request_id(id);
        message.mutable_cost()->set_amount(7);
        message.mutable_outcome()->set_status("completed");
        add(settlements_, "quire.credits.settled.v1", at, message.SerializeAsString());
        return id;
    }
    void tell(const std::string& id, Timestamp at) {
        prompts::v1::GenerationStory message;
        message.set_org_id("org_1");
        message.set_project_id("prj_1");
        message.set_request_id(id);
        message.set_route("/v1/chat/completions");
        message.set_status("completed");
        add(stories_, "quire.prompts.generation_completed.v1", at, message.SerializeAsString());
    }
    std::optional<v1::Request> find(const std::string& id) {
        rpc::CallContext ctx;
        ctx.principal.org_id = "org_1";
        ctx.principal.project_id = "prj_1";
        v1::GetRequestRequest request;
        request.set_id(id);
        const auto found = test::run(port_->get_request(ctx, request));
        return found ? std::optional(found->request()) : std::nullopt;
    }

    std::vector<OutboxEvent> settlements_;
    std::vector<OutboxEvent> stories_;
    std::int64_t slow_after_ = INT64_MAX;

private:
    static void add(std::vector<OutboxEvent>& events, const std::string& type, Timestamp at,
                    std::string data) {
        OutboxEvent& event = events.emplace_back();
        event.set_sequence(static_cast<std::int64_t>(events.size()));
        event.set_id(fmt::format("evt_{}", events.size()));
        event.set_type(type);
        event.set_time_us(at.micros);
        event.set_data(std::move(data));
    }
    static awaitable<Result<common::v1::OutboxPage>> page_of(
        const std::vector<OutboxEvent>& events, common::v1::ReadOutboxRequest request) {
        common::v1::OutboxPage page;
        const auto from = static_cast<std::size_t>(request.after_sequence());
        const auto until =
            std::min(events.size(), from + static_cast<std::size_t>(request.limit()));
        for (std::size_t i = from; i < until; ++i) *page.add_events() = events[i];
        page.set_has_more(until < events.size());
        co_return page;
    }

    test::TemporaryFolder folder_;
    runtime::EventLoops loops_{1};
    SystemClock clock_;
    SystemRng rng_;
    std::optional<runtime::Wiring> wiring_;
    std::unique_ptr<runtime::Module> module_;
    std::shared_ptr<Analytics> port_;
};

TEST_F(AnalyticsModuleTest, NoStoryIsToldBeforeItsMoneyWhereThatIsFarBehind) {
    const Timestamp began = SystemClock().now();
    std::string last;
    for (int i = 0; i < 4'500; ++i) last = settle(began + std::chrono::milliseconds(i));
    tell(last, began + 4'500ms);
    slow_after_ = 4'000;  // beyond what is read at once

    start();

    std::optional<v1::Request> page;
    ASSERT_TRUE(test::wait_until([&] {
        page = find(last);
        return page && !page->route().empty();
    }));
    EXPECT_EQ(page->cost().amount(), 7);
}

TEST_F(AnalyticsModuleTest, WhatIsOldIsGoneWithTheNextStart) {
    const Timestamp now = SystemClock().now();
    const std::string old = settle(now - 2h);
    const std::string young = settle(now);
    start();
    ASSERT_TRUE(test::wait_until([&] { return find(old) && find(young); }));
    stop();

    start(1h);

    EXPECT_TRUE(test::wait_until([&] { return !find(old); }));
    EXPECT_TRUE(find(young));
}

}  // namespace
}  // namespace quire::analytics
