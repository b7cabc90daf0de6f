#include "tests/contract/credits_suite.hpp"

#include "quire/credits/v1/credits_fake.hpp"
#include "quire/credits/v1/credits_rpc.hpp"
#include "services/credits/credits_module.hpp"
#include "tests/contract/port_suite.hpp"

#include <gtest/gtest.h>

namespace quire::test {
namespace {

using credits::Credits;
using namespace credits::v1;

/// The service over a store of its own.
class CreditsSubject final : public PortSubject<Credits> {
public:
    CreditsSubject() {
        wiring().set_settings(credits_contract_config());
        build(credits::make_credits);
    }
};

[[maybe_unused]] const bool kCreditsSuite = register_suite<CreditsSubject, credits::CreditsClient>(
    "Credits", credits_cases(), credits::credits_methods);

/// A fake that passes every call on to the service, until a test plants a fault in it.
std::shared_ptr<credits::FakeCredits> passing_on_to(Credits& service) {
    auto fake = std::make_shared<credits::FakeCredits>();
    const auto pass = [&service](auto method) {
        return [&service, method](const rpc::CallContext& ctx, const auto& request) {
            return (service.*method)(ctx, request);
        };
    };
    fake->on_admit = pass(&Credits::admit);
    fake->on_settle = pass(&Credits::settle);
    fake->on_void_hold = pass(&Credits::void_hold);
    fake->on_list_open_holds = pass(&Credits::list_open_holds);
    fake->on_get_balance = pass(&Credits::get_balance);
    fake->on_list_entries = pass(&Credits::list_entries);
    fake->on_grant = pass(&Credits::grant);
    fake->on_verify = pass(&Credits::verify);
    fake->on_read_outbox = pass(&Credits::read_outbox);
    return fake;
}

class CreditsSuiteFaults : public testing::Test {
protected:
    void expect_found_by(const CaseNames& cases) {
        EXPECT_EQ(subject_.failures(*fake_, credits_cases(), cases), cases);
    }

    CreditsSubject subject_;
    Credits& service_ = *subject_.port;
    std::shared_ptr<credits::FakeCredits> fake_ = passing_on_to(service_);
};

TEST_F(CreditsSuiteFaults, AFakeThatPassesEverythingOnHasNone) {
    for (const CreditsCase& rule : credits_cases()) {
        EXPECT_EQ(run(check_case(rule, *fake_)), "") << rule.name;
    }
}

awaitable<Result<VoidHoldResponse>> void_nothing() { co_return VoidHoldResponse(); }

TEST_F(CreditsSuiteFaults, SeesAVoidThatReleasesNothing) {
    fake_->on_void_hold = [](const auto&, const auto&) { return void_nothing(); };

    expect_found_by({"AVoidReleasesEverythingAndTheKey", "SettlingTwiceBooksOnce",
                     "OpenHoldsAreListedByOwner"});
}

awaitable<Result<AdmitResponse>> admit_anew(Credits& port, rpc::CallContext ctx,
                                            AdmitRequest request) {
    request.clear_idempotency_key();
    co_return co_await port.admit(ctx, request);
}

TEST_F(CreditsSuiteFaults, SeesAKeyThatIsForgotten) {
    fake_->on_admit = [this](const rpc::CallContext& ctx, const AdmitRequest& request) {
        return admit_anew(service_, ctx, request);
    };

    expect_found_by({"BadAdmissionsAreRefused", "AKeyBelongsToItsFirstRequest"});
}

awaitable<Result<AdmitResponse>> admit_half(Credits& port, rpc::CallContext ctx,
                                            AdmitRequest request) {
    request.set_output_tokens_wanted(request.output_tokens_wanted() / 2);
    co_return co_await port.admit(ctx, request);
}

TEST_F(CreditsSuiteFaults, SeesAHoldOfLessThanTheMost) {
    fake_->on_admit = [this](const rpc::CallContext& ctx, const AdmitRequest& request) {
        return admit_half(service_, ctx, request);
    };

    expect_found_by({"TheMostIsHeldAndTheExactCostBooked", "TheOutputIsLoweredToWhatIsThere",
                     "TooSmallABalanceIsRefusedWithTheFigures",
                     "WhatExceedsTheHoldIsAnOverrunAndThenALoss"});
}

awaitable<Result<SettleResponse>> settle_one_more(Credits& port, rpc::CallContext ctx,
                                                  SettleRequest request) {
    const std::int64_t tokens = request.usage().output_tokens();
    request.mutable_usage()->set_output_tokens(tokens == INT64_MAX ? tokens - 1 : tokens + 1);
    co_return co_await port.settle(ctx, request);
}

TEST_F(CreditsSuiteFaults, SeesATokenTooMuch) {
    fake_->on_settle = [this](const rpc::CallContext& ctx, const SettleRequest& request) {
        return settle_one_more(service_, ctx, request);
    };

    expect_found_by({"TheMostIsHeldAndTheExactCostBooked", "AKeyBelongsToItsFirstRequest",
                     "SettlingTwiceBooksOnce", "WhatExceedsTheHoldIsAnOverrunAndThenALoss",
                     "AbsurdUsageIsRefusedAndTheHoldStays", "AHoldExpiresAndLateUsageIsBookedOnce",
                     "EntriesAddUpToTheBalance"});
}

awaitable<Result<GrantResponse>> grant_again(Credits& port, rpc::CallContext ctx,
                                             GrantRequest request, int number) {
    request.set_idempotency_key(request.idempotency_key() + std::to_string(number));
    co_return co_await port.grant(ctx, request);
}

TEST_F(CreditsSuiteFaults, SeesARepeatedGrantThatIsBookedTwice) {
    int number = 0;
    fake_->on_grant = [&](const rpc::CallContext& ctx, const GrantRequest& request) {
        ++number;
        return grant_again(service_, ctx, request, number);
    };

    expect_found_by({"AGrantIsBookedOnceForItsKey", "WhatIsBookedIsToldOnce"});
}

awaitable<Result<ListEntriesResponse>> list_for(Credits& port, rpc::CallContext whom,
                                                ListEntriesRequest request) {
    request.mutable_page()->clear_after();
    co_return co_await port.list_entries(whom, request);
}

TEST_F(CreditsSuiteFaults, SeesTheEntriesOfOthers) {
    rpc::CallContext last_granted;
    fake_->on_grant = [&](const rpc::CallContext& ctx, const GrantRequest& request) {
        last_granted = ctx;
        return service_.grant(ctx, request);
    };
    fake_->on_list_entries = [&](const rpc::CallContext&, const ListEntriesRequest& request) {
        return list_for(service_, last_granted, request);
    };

    expect_found_by({"OthersSeeNothing"});
}

awaitable<Result<common::v1::OutboxPage>> read_silently(Credits& port, const rpc::CallContext& ctx,
                                                        const common::v1::ReadOutboxRequest& from) {
    QUIRE_CO_TRY(auto page, port.read_outbox(ctx, from));
    for (auto& event : *page.mutable_events()) {
        if (event.type() == "quire.credits.settled.v1") event.set_subject("");
    }
    co_return page;
}

TEST_F(CreditsSuiteFaults, SeesASettlementThatIsNotTold) {
    fake_->on_read_outbox = [this](const rpc::CallContext& ctx, const auto& request) {
        return read_silently(service_, ctx, request);
    };

    expect_found_by({"WhatIsBookedIsToldOnce"});
}

}  // namespace
}  // namespace quire::test
