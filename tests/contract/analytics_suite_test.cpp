#include "tests/contract/analytics_suite.hpp"

#include "quire/analytics/v1/analytics_fake.hpp"
#include "quire/analytics/v1/analytics_rpc.hpp"
#include "quire/credits/v1/credits_fake.hpp"
#include "quire/prompts/v1/prompts_fake.hpp"
#include "services/analytics/analytics_config.hpp"
#include "services/analytics/analytics_module.hpp"
#include "tests/contract/port_suite.hpp"

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
class AnalyticsSubject final : public PortSubject<Analytics> {
public:
    AnalyticsSubject() {
        const auto credits = std::make_shared<credits::FakeCredits>();
        const auto prompts = std::make_shared<prompts::FakePrompts>();
        const AnalyticsLog& log = analytics_contract_log();
        credits->on_read_outbox = [&log](const auto&, const auto& request) {
            return read_from(log.settlements, request);
        };
        prompts->on_read_outbox = [&log](const auto&, const auto& request) {
            return read_from(log.stories, request);
        };
        wiring().set_settings(analytics::AnalyticsConfig());
        wiring().provide<credits::Credits>(credits, {});
        wiring().provide<prompts::Prompts>(prompts, {});
        build(analytics::make_analytics);
        EXPECT_TRUE(wait_until([this] { return has_heard_everything(); }));
    }

private:
    /// Both sources are applied in one transaction.
    bool has_heard_everything() {
        const auto ctx = analytics_caller();
        const ListRequestsRequest all;
        const auto page = run(port->list_requests(ctx, all));
        return page && page->requests_size() == kLoggedRequests;
    }
};

[[maybe_unused]] const bool kAnalyticsSuite =
    register_suite<AnalyticsSubject, analytics::AnalyticsClient>("Analytics", analytics_cases(),
                                                                 analytics::analytics_methods);

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
    CaseNames failures() { return subject_.failures(fake_, analytics_cases()); }

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
             [](auto& request) { request.clear_key_id(); },
             [](auto& request) {
                 if (request.status() != "done") request.clear_status();
             }}) {
        change_questions(forget);

        EXPECT_EQ(failures(), CaseNames{"FiltersNarrowTogether"});
    }
}

TEST_F(AnalyticsSuiteFaults, SeesAPageThatTellsMoreThanItShould) {
    for (const auto& add : std::vector<ChangeRequest>{
             [](auto& request) { request.mutable_content()->set_input("x"); },
             [](auto& request) { request.add_steps(); },
             [](auto& request) { request.mutable_cost()->add_lines(); }}) {
        change_pages([&add](auto& page) {
            for (auto& request : *page.mutable_requests()) add(request);
        });

        EXPECT_EQ(failures(), CaseNames{"APageIsBrief"});
    }
}

TEST_F(AnalyticsSuiteFaults, SeesWhatIsOutOfRangeTakenAnyway) {
    for (const auto& mend : std::vector<std::function<void(ListRequestsRequest&)>>{
             [](auto& request) {
                 const int limit = std::clamp(request.page().limit(), 0, 1000);
                 request.mutable_page()->set_limit(limit);
             },
             [](auto& request) {
                 const bool is_id = request.page().after().starts_with("req_");
                 if (!is_id) request.mutable_page()->clear_after();
             },
             [](auto& request) {
                 if (request.status() == "done") request.clear_status();
             }}) {
        change_questions(mend);

        EXPECT_EQ(failures(), CaseNames{"WhatIsOutOfRangeIsRefused"});
    }
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
