#include "tests/contract/auth_suite.hpp"

#include "quire/auth/v1/auth_fake.hpp"
#include "quire/auth/v1/auth_rpc.hpp"
#include "services/auth/auth_module.hpp"
#include "tests/contract/port_suite.hpp"

#include <gtest/gtest.h>

namespace quire::test {
namespace {

using auth::Auth;

/// The service over a store of its own.
class AuthSubject final : public PortSubject<Auth> {
public:
    AuthSubject() { build(auth::make_auth); }
};

[[maybe_unused]] const bool kAuthSuite =
    register_suite<AuthSubject, auth::AuthClient>("Auth", auth_cases(), auth::auth_methods);

/// A fake that passes every call on to the service, until a test plants a fault in it.
std::shared_ptr<auth::FakeAuth> passing_on_to(Auth& service) {
    auto fake = std::make_shared<auth::FakeAuth>();
    const auto pass = [&service](auto method) {
        return [&service, method](const rpc::CallContext& ctx, const auto& request) {
            return (service.*method)(ctx, request);
        };
    };
    fake->on_authenticate = pass(&Auth::authenticate);
    fake->on_create_key = pass(&Auth::create_key);
    fake->on_list_keys = pass(&Auth::list_keys);
    fake->on_revoke_key = pass(&Auth::revoke_key);
    fake->on_create_organization = pass(&Auth::create_organization);
    fake->on_list_organizations = pass(&Auth::list_organizations);
    fake->on_read_outbox = pass(&Auth::read_outbox);
    return fake;
}

class AuthSuiteFaults : public testing::Test {
protected:
    AuthSubject subject_;
    std::shared_ptr<auth::FakeAuth> fake_ = passing_on_to(*subject_.port);
};

TEST_F(AuthSuiteFaults, AFakeThatPassesEverythingOnHasNone) {
    for (const AuthCase& rule : auth_cases()) {
        EXPECT_EQ(run(check_case(rule, *fake_)), "") << rule.name;
    }
}

awaitable<Result<auth::v1::RevokeKeyResponse>> revoke_nothing() {
    co_return auth::v1::RevokeKeyResponse();
}

TEST_F(AuthSuiteFaults, SeesARevocationThatIsForgotten) {
    fake_->on_revoke_key = [](const auto&, const auto&) { return revoke_nothing(); };

    const CaseNames cases{"ARevokedKeyIsRefusedAndMayBeRevokedAgain",
                          "ForeignAndUnknownKeysAreNotFoundAlike",
                          "CreationsAndRevocationsAreToldInOrder"};
    EXPECT_EQ(subject_.failures(*fake_, auth_cases(), cases), cases);
}

awaitable<Result<auth::v1::ListKeysResponse>> list_for(Auth& port, rpc::CallContext whom,
                                                       auth::v1::ListKeysRequest request) {
    co_return co_await port.list_keys(whom, request);
}

TEST_F(AuthSuiteFaults, SeesAListThatShowsTheKeysOfOthers) {
    rpc::CallContext last_maker;
    fake_->on_create_key = [&](const rpc::CallContext& ctx, const auto& request) {
        last_maker = ctx;
        return subject_.port->create_key(ctx, request);
    };
    fake_->on_list_keys = [&](const rpc::CallContext&, const auto& request) {
        return list_for(*subject_.port, last_maker, request);
    };

    const CaseNames cases{"ForeignKeysAreNotListed", "AnotherProjectsKeysAreForeignToo"};
    EXPECT_EQ(subject_.failures(*fake_, auth_cases(), cases), cases);
}

awaitable<Result<auth::v1::ListKeysResponse>> list_without_more(
    Auth& port, const rpc::CallContext& ctx, const auth::v1::ListKeysRequest& request) {
    QUIRE_CO_TRY(auto page, port.list_keys(ctx, request));
    page.set_has_more(false);
    co_return page;
}

TEST_F(AuthSuiteFaults, SeesAPageThatHidesTheNext) {
    fake_->on_list_keys = [this](const rpc::CallContext& ctx,
                                 const auth::v1::ListKeysRequest& request) {
        return list_without_more(*subject_.port, ctx, request);
    };

    const CaseNames cases{"PagesShowEverythingOnce"};
    EXPECT_EQ(subject_.failures(*fake_, auth_cases(), cases), cases);
}

awaitable<Result<auth::v1::AuthenticateResponse>> authenticate_with_all_scopes(
    Auth& port, const rpc::CallContext& ctx, const auth::v1::AuthenticateRequest& request) {
    QUIRE_CO_TRY(auto answer, port.authenticate(ctx, request));
    answer.mutable_principal()->add_scopes("keys:write");
    co_return answer;
}

TEST_F(AuthSuiteFaults, SeesAKeyThatMayDoMoreThanItWasGiven) {
    fake_->on_authenticate = [this](const rpc::CallContext& ctx,
                                    const auth::v1::AuthenticateRequest& request) {
        return authenticate_with_all_scopes(*subject_.port, ctx, request);
    };

    const CaseNames cases{"EachScopeCanBeGivenAlone"};
    EXPECT_EQ(subject_.failures(*fake_, auth_cases(), cases), cases);
}

awaitable<Result<common::v1::OutboxPage>> read_backwards(
    Auth& port, const rpc::CallContext& ctx, const common::v1::ReadOutboxRequest& request) {
    QUIRE_CO_TRY(auto page, port.read_outbox(ctx, request));
    std::reverse(page.mutable_events()->begin(), page.mutable_events()->end());
    co_return page;
}

TEST_F(AuthSuiteFaults, SeesEventsOutOfOrder) {
    fake_->on_read_outbox = [this](const rpc::CallContext& ctx,
                                   const common::v1::ReadOutboxRequest& request) {
        return read_backwards(*subject_.port, ctx, request);
    };

    const CaseNames cases{"CreationsAndRevocationsAreToldInOrder"};
    EXPECT_EQ(subject_.failures(*fake_, auth_cases(), cases), cases);
}

}  // namespace
}  // namespace quire::test
