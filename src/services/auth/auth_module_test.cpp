// The first run, what is told of each change, and a store that lives longer than its process.
#include "services/auth/auth_module.hpp"

#include "quire/auth/v1/auth_port.hpp"
#include "services/auth/auth_service.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

namespace quire::auth {
namespace {

using namespace std::chrono_literals;
using Events = google::protobuf::RepeatedPtrField<common::v1::OutboxEvent>;

/// One life of the process on the same folder.
class Life {
public:
    Life(const std::filesystem::path& data, const Clock& clock, Rng& rng)
        : wiring_(loops_, clock, rng, data) {
        auto made = make_auth(wiring_);
        EXPECT_TRUE(made);
        module_ = *std::move(made);
        auto port = wiring_.need<Auth>("auth");
        EXPECT_TRUE(port);
        auth_ = *std::move(port);
    }

    std::optional<std::string> prepare() {
        auto key = wiring_.first_run.prepare();
        EXPECT_TRUE(key);
        return key ? *std::move(key) : std::nullopt;
    }
    void complete() { EXPECT_TRUE(wiring_.first_run.complete()); }

    Result<v1::AuthenticateResponse> authenticate(const std::string& key) {
        v1::AuthenticateRequest request;
        request.set_key(key);
        return run(auth_->authenticate({}, request));
    }
    rpc::CallContext context_of(const std::string& key) {
        const auto answer = authenticate(key);
        EXPECT_TRUE(answer);
        rpc::CallContext ctx;
        ctx.principal.org_id = answer->principal().org_id();
        ctx.principal.project_id = answer->principal().project_id();
        ctx.principal.user_id = answer->principal().user_id();
        ctx.principal.scopes.assign(answer->principal().scopes().begin(),
                                    answer->principal().scopes().end());
        return ctx;
    }
    int organizations() {
        const auto answer = run(auth_->list_organizations({}, {}));
        EXPECT_TRUE(answer);
        return answer->organizations_size();
    }
    Events events() {
        const auto page = run(auth_->read_outbox({}, {}));
        EXPECT_TRUE(page);
        return page->events();
    }
    Auth& auth() { return *auth_; }
    template <class T>
    T run(awaitable<T> call) {
        return test::run_on(loops_.loop(0), std::move(call));
    }

private:
    runtime::EventLoops loops_{1};
    runtime::Wiring wiring_;
    std::unique_ptr<runtime::Module> module_;
    std::shared_ptr<Auth> auth_;
};

class AuthModuleTest : public testing::Test {
protected:
    Life live() {
        clock_.advance(1s);
        return Life(folder_.path(), clock_, rng_);
    }

    test::TemporaryFolder folder_;
    ManualClock clock_;
    SeededRng rng_{1};
};

TEST_F(AuthModuleTest, TheFirstRunGivesAKeyWithEveryScope) {
    Life life = live();

    const auto key = life.prepare();

    ASSERT_TRUE(key);
    const rpc::Principal principal = life.context_of(*key).principal;
    EXPECT_EQ(principal.scopes, std::vector<std::string>(all_scopes().begin(), all_scopes().end()));
    EXPECT_EQ(life.organizations(), 1);
}

TEST_F(AuthModuleTest, TheSecondRunGivesNoKeyAndKeepsTheFirst) {
    std::optional<std::string> key;
    {
        Life first = live();
        key = first.prepare();
        first.complete();
        EXPECT_EQ(first.prepare(), std::nullopt);
    }

    Life second = live();

    EXPECT_EQ(second.prepare(), std::nullopt);
    EXPECT_TRUE(second.authenticate(key.value()));
    EXPECT_EQ(second.organizations(), 1);
}

TEST_F(AuthModuleTest, AnInterruptedFirstRunIsCompletedWithANewKey) {
    const auto lost = live().prepare();
    ASSERT_TRUE(lost);

    Life second = live();
    const auto key = second.prepare();
    second.complete();

    ASSERT_TRUE(key);
    EXPECT_NE(*key, *lost);
    EXPECT_TRUE(second.authenticate(*key));
    EXPECT_TRUE(second.authenticate(*lost)) << "it may have been printed just before the end";
    EXPECT_EQ(second.organizations(), 1);
    EXPECT_EQ(live().prepare(), std::nullopt);
}

TEST_F(AuthModuleTest, AStoreWithAnOrganizationHasNoFirstRun) {
    Life life = live();
    v1::CreateOrganizationRequest request;
    request.set_name("made by hand");
    ASSERT_TRUE(life.run(life.auth().create_organization({}, request)));

    EXPECT_EQ(life.prepare(), std::nullopt);
}

TEST_F(AuthModuleTest, TellsOfEachKeyWhatConsumersNeed) {
    Life life = live();
    rpc::CallContext ctx = life.context_of(life.prepare().value());
    ctx.trace = runtime::new_trace(rng_);
    v1::CreateKeyRequest create;
    create.set_name("ci");
    create.add_scopes("inference");
    const auto made = life.run(life.auth().create_key(ctx, create));
    ASSERT_TRUE(made);
    v1::RevokeKeyRequest revoke;
    revoke.set_id(made->key().id());
    clock_.advance(1s);
    ASSERT_TRUE(life.run(life.auth().revoke_key(ctx, revoke)));

    const Events events = life.events();

    ASSERT_EQ(events.size(), 3);
    EXPECT_EQ(events[0].type(), "quire.auth.key_created.v1");  // the first key
    const common::v1::OutboxEvent& created = events[1];
    EXPECT_EQ(created.type(), "quire.auth.key_created.v1");
    EXPECT_EQ(created.subject(), made->key().id());
    EXPECT_EQ(created.traceparent(), ctx.trace.traceparent());
    EXPECT_EQ(created.time_us(), made->key().created_at_us());
    EXPECT_TRUE(created.id().starts_with("evt_"));
    EXPECT_EQ(created.data_json(),
              fmt::format(R"({{"orgId":"{}","keyId":"{}","name":"ci","scopes":["inference"]}})",
                          ctx.principal.org_id, made->key().id()));
    const common::v1::OutboxEvent& revoked = events[2];
    EXPECT_EQ(revoked.type(), "quire.auth.key_revoked.v1");
    EXPECT_EQ(revoked.sequence(), created.sequence() + 1);
    EXPECT_EQ(revoked.time_us(), clock_.now().micros);
    EXPECT_EQ(revoked.data_json(), fmt::format(R"({{"orgId":"{}","keyId":"{}"}})",
                                               ctx.principal.org_id, made->key().id()));
}

TEST_F(AuthModuleTest, TellsNothingOfWhatDidNotHappen) {
    Life life = live();
    const rpc::CallContext ctx = life.context_of(life.prepare().value());
    v1::RevokeKeyRequest unknown;
    unknown.set_id("key_unknown");
    v1::RevokeKeyRequest revoke;
    revoke.set_id(life.authenticate(life.prepare().value())->principal().key_id());
    const int before = life.events().size();

    EXPECT_FALSE(life.run(life.auth().revoke_key(ctx, unknown)));
    EXPECT_FALSE(life.run(life.auth().create_key(ctx, {})));
    EXPECT_TRUE(life.run(life.auth().revoke_key(ctx, revoke)));
    EXPECT_TRUE(life.run(life.auth().revoke_key(ctx, revoke)));

    EXPECT_EQ(life.events().size(), before + 1);
}

}  // namespace
}  // namespace quire::auth
