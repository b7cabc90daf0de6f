#include "tests/contract/analytics_suite.hpp"

#include "quire/analytics/v1/analytics_fake.hpp"
#include "quire/analytics/v1/analytics_rpc.hpp"
#include "quire/credits/v1/credits_fake.hpp"
#include "quire/prompts/v1/prompts_fake.hpp"
#include "runtime/wiring.hpp"
#include "services/analytics/analytics_config.hpp"
#include "services/analytics/analytics_module.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/wired.hpp"

#include <gtest/gtest.h>

namespace quire::test {
namespace {

using analytics::Analytics;
using analytics::v1::GetRequestRequest;
using analytics::v1::GetRequestResponse;
using analytics::v1::ListRequestsRequest;
using analytics::v1::ListRequestsResponse;

awaitable<Result<common::v1::OutboxPage>> read_from(
    const std::vector<common::v1::OutboxEvent>& events, common::v1::ReadOutboxRequest request) {
    common::v1::OutboxPage page;
    for (const auto& event : events) {
        if (event.sequence() > request.after_sequence()) *page.add_events() = event;
    }
    co_return page;
}

/// The service between outboxes that have told it of the log.
class AnalyticsSubject {
public:
    AnalyticsSubject() {
        credits_->on_read_outbox = [this](const auto&, const auto& request) {
            return read_from(log_.settlements, request);
        };
        prompts_->on_read_outbox = [this](const auto&, const auto& request) {
            return read_from(log_.stories, request);
        };
        wiring_.set_settings(analytics::AnalyticsConfig());
        wiring_.provide<credits::Credits>(credits_, {});
        wiring_.provide<prompts::Prompts>(prompts_, {});
        auto made = analytics::make_analytics(wiring_);
        EXPECT_TRUE(made);
        if (made) module_ = *std::move(made);
        auto offered = wiring_.need<Analytics>("analytics");
        EXPECT_TRUE(offered);
        if (offered) port = *std::move(offered);
        EXPECT_TRUE(module_->start());
        EXPECT_TRUE(wait_until([this] { return has_heard_everything(); }));
    }
    ~AnalyticsSubject() {
        if (module_) module_->stop();
        loops_.stop();
    }
    AnalyticsSubject(const AnalyticsSubject&) = delete;
    AnalyticsSubject& operator=(const AnalyticsSubject&) = delete;

    std::shared_ptr<Analytics> port;

private:
    /// Both sources are applied in one transaction.
    bool has_heard_everything() {
        const auto ctx = analytics_caller();
        const ListRequestsRequest all;
        const auto page = run(port->list_requests(ctx, all));
        return page && page->requests_size() == kLoggedRequests;
    }

    const AnalyticsLog& log_ = analytics_contract_log();
    TemporaryFolder folder_;
    runtime::EventLoops loops_{1};
    SystemClock clock_;
    SystemRng rng_;
    runtime::Wiring wiring_{loops_, clock_, rng_, folder_.path()};
    std::shared_ptr<credits::FakeCredits> credits_ = std::make_shared<credits::FakeCredits>();
    std::shared_ptr<prompts::FakePrompts> prompts_ = std::make_shared<prompts::FakePrompts>();
    std::unique_ptr<runtime::Module> module_;
};

class AnalyticsContract : public testing::TestWithParam<AnalyticsCase> {};

TEST_P(AnalyticsContract, Holds) {
    const AnalyticsSubject subject;

    EXPECT_EQ(run(check_case(GetParam(), *subject.port)), "");
}

INSTANTIATE_TEST_SUITE_P(Service, AnalyticsContract, testing::ValuesIn(analytics_cases()),
                         [](const auto& instance) { return instance.param.name; });

/// The same through the generated client, gRPC's wire and the generated server.
class AnalyticsOverTheWire : public testing::TestWithParam<AnalyticsCase> {};

TEST_P(AnalyticsOverTheWire, Holds) {
    const AnalyticsSubject subject;
    Wired wired(analytics::analytics_methods(*subject.port));
    analytics::AnalyticsClient client(wired.channel);

    EXPECT_EQ(wired.run(check_case(GetParam(), client)), "");
}

INSTANTIATE_TEST_SUITE_P(Wire, AnalyticsOverTheWire, testing::ValuesIn(analytics_cases()),
                         [](const auto& instance) { return instance.param.name; });

using ChangePage = std::function<void(ListRequestsResponse&)>;
using ChangeRequest = std::function<void(analytics::v1::Request&)>;

awaitable<Result<ListRequestsResponse>> list_changed(Analytics& port, rpc::CallContext ctx,
                                                     ListRequestsRequest request,
                                                     ChangePage change) {
    QUIRE_CO_TRY(auto page, port.list_requests(ctx, request));
    change(page);
    co_return page;
}

awaitable<Result<GetRequestResponse>> get_changed(Analytics& port, rpc::CallContext ctx,
                                                  GetRequestRequest request, ChangeRequest change) {
    QUIRE_CO_TRY(auto answer, port.get_request(ctx, request));
    change(*answer.mutable_request());
    co_return answer;
}

/// A service with a fault: a fake that passes every call on until a test plants one.
class AnalyticsSuiteFaults : public testing::Test {
protected:
    AnalyticsSuiteFaults() {
        change_pages([](auto&) {});
        change_requests([](auto&) {});
    }
    void change_pages(ChangePage change) {
        fake_.on_list_requests = [this, change](const rpc::CallContext& ctx,
                                                const ListRequestsRequest& request) {
            return list_changed(service_, ctx, request, change);
        };
    }
    void change_requests(ChangeRequest change) {
        fake_.on_get_request = [this, change](const rpc::CallContext& ctx,
                                              const GetRequestRequest& request) {
            return get_changed(service_, ctx, request, change);
        };
    }
    void change_questions(std::function<void(ListRequestsRequest&)> change) {
        fake_.on_list_requests = [this, change](const rpc::CallContext& ctx,
                                                ListRequestsRequest request) {
            change(request);
            return list_changed(service_, ctx, std::move(request), [](auto&) {});
        };
    }
    CaseNames failures() {
        CaseNames all;
        for (const AnalyticsCase& rule : analytics_cases()) all.push_back(rule.name);
        return failures_of(fake_, analytics_cases(), all);
    }

    AnalyticsSubject subject_;
    Analytics& service_ = *subject_.port;
    analytics::FakeAnalytics fake_;
};

TEST_F(AnalyticsSuiteFaults, AFakeThatPassesEverythingOnHasNone) {
    EXPECT_EQ(failures(), CaseNames());
}

TEST_F(AnalyticsSuiteFaults, SeesAPageInAnotherOrder) {
    change_pages([](auto& page) {
        std::reverse(page.mutable_requests()->begin(), page.mutable_requests()->end());
    });

    EXPECT_EQ(failures(), (CaseNames{"TheNewestComeFirstPageByPage", "FiltersNarrowTogether"}));
}

TEST_F(AnalyticsSuiteFaults, SeesAPageThatHidesTheNext) {
    change_pages([](auto& page) { page.set_has_more(false); });

    EXPECT_EQ(failures(), CaseNames{"TheNewestComeFirstPageByPage"});
}

TEST_F(AnalyticsSuiteFaults, SeesAFilterThatDoesNothing) {
    for (const auto& forget : std::vector<std::function<void(ListRequestsRequest&)>>{
             [](auto& request) { request.clear_model(); },
             [](auto& request) { request.clear_key_id(); }}) {
        change_questions(forget);

        EXPECT_EQ(failures(), CaseNames{"FiltersNarrowTogether"});
    }
}

TEST_F(AnalyticsSuiteFaults, SeesAPageThatTellsTexts) {
    change_pages([](auto& page) {
        for (auto& request : *page.mutable_requests()) request.mutable_content()->set_input("x");
    });

    EXPECT_EQ(failures(), CaseNames{"APageIsBrief"});
}

TEST_F(AnalyticsSuiteFaults, SeesACostThatIsWrong) {
    change_requests([](auto& request) {
        if (request.cost().amount() > 20) request.mutable_cost()->set_amount(29);
    });

    EXPECT_EQ(failures(), CaseNames{"MoneyIsWhatWasSettled"});
}

TEST_F(AnalyticsSuiteFaults, SeesWhatIsLeftOut) {
    struct Fault {
        ChangeRequest change;
        CaseNames found_by;
    };
    for (const Fault& fault : std::vector<Fault>{
             {[](auto& request) { request.clear_steps(); }, {"OneRequestIsToldWhole"}},
             {[](auto& request) { request.clear_content(); }, {"OneRequestIsToldWhole"}},
             {[](auto& request) { request.clear_prompt(); }, {"HowItEndedIsTold"}},
             {[](auto& request) { request.clear_error_code(); }, {"HowItEndedIsTold"}},
             {[](auto& request) { request.clear_provider(); },
              {"OneRequestIsToldWhole", "MoneyWithoutAStoryHasItsPage"}},
             {[](auto& request) { request.mutable_cost()->clear_lines(); },
              {"MoneyIsWhatWasSettled"}},
         }) {
        change_requests(fault.change);

        EXPECT_EQ(failures(), fault.found_by);
    }
}

TEST_F(AnalyticsSuiteFaults, SeesTheRequestsOfOthers) {
    fake_.on_get_request = [this](const rpc::CallContext&, const GetRequestRequest& request) {
        const auto owner = analytics_caller();
        return get_changed(service_, owner, request, [](auto&) {});
    };

    EXPECT_EQ(failures(), CaseNames{"ForeignAndUnknownAreNotFoundAlike"});
}

}  // namespace
}  // namespace quire::test
