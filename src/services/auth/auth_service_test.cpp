#include "services/auth/auth_service.hpp"

#include "services/auth/api_key.hpp"
#include "services/auth/auth_module.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace quire::auth {
namespace {

using namespace std::chrono_literals;

/// Auth on a store of its own, with the first organization and a key of every scope.
class AuthServiceTest : public testing::Test {
protected:
    AuthServiceTest() {
        auto made = make_auth(wiring_);
        EXPECT_TRUE(made);
        module_ = *std::move(made);
        auto port = wiring_.need<Auth>("auth");
        EXPECT_TRUE(port);
        auth_ = *std::move(port);
        const auto first = wiring_.first_run.prepare();
        EXPECT_TRUE(first);
        owner_ = context_of(first->value());
    }

    template <class T>
    T run(awaitable<T> call) {
        return test::run_on(loops_.loop(0), std::move(call));
    }
    /// Whom a key speaks for.
    rpc::CallContext context_of(const std::string& key) {
        const auto answer = authenticate(key);
        EXPECT_TRUE(answer);
        rpc::CallContext ctx;
        if (!answer) return ctx;
        ctx.principal.org_id = answer->principal().org_id();
        ctx.principal.project_id = answer->principal().project_id();
        ctx.principal.user_id = answer->principal().user_id();
        ctx.principal.key_id = answer->principal().key_id();
        ctx.principal.scopes.assign(answer->principal().scopes().begin(),
                                    answer->principal().scopes().end());
        return ctx;
    }
    /// The owner of another organization.
    rpc::CallContext stranger() {
        v1::CreateOrganizationRequest request;
        request.set_name("others");
        const auto made = run(auth_->create_organization({}, request));
        EXPECT_TRUE(made);
        rpc::CallContext ctx;
        ctx.principal.org_id = made->organization().id();
        ctx.principal.project_id = made->organization().project_id();
        ctx.principal.user_id = made->organization().user_id();
        ctx.principal.scopes = owner_.principal.scopes;
        return ctx;
    }

    Result<v1::AuthenticateResponse> authenticate(const std::string& key) {
        v1::AuthenticateRequest request;
        request.set_key(key);
        return run(auth_->authenticate({}, request));
    }
    Result<v1::CreateKeyResponse> create(const rpc::CallContext& ctx, std::string name,
                                         std::vector<std::string> scopes = {},
                                         Timestamp expires = {}) {
        clock_.advance(1ms);
        v1::CreateKeyRequest request;
        request.set_name(std::move(name));
        request.mutable_scopes()->Add(scopes.begin(), scopes.end());
        request.set_expires_at_us(expires.micros);
        return run(auth_->create_key(ctx, request));
    }
    Result<v1::ListKeysResponse> list(const rpc::CallContext& ctx, int limit = 0,
                                      std::string after = "") {
        v1::ListKeysRequest request;
        request.mutable_page()->set_limit(limit);
        request.mutable_page()->set_after(std::move(after));
        return run(auth_->list_keys(ctx, request));
    }
    Result<v1::RevokeKeyResponse> revoke(const rpc::CallContext& ctx, const std::string& id) {
        v1::RevokeKeyRequest request;
        request.set_id(id);
        return run(auth_->revoke_key(ctx, request));
    }
    void expect_error(const Error& error, ErrorCode code, std::string_view message) {
        EXPECT_EQ(error.code(), code) << error.message();
        EXPECT_NE(error.message().find(message), std::string::npos) << error.message();
    }

    test::TemporaryFolder folder_;
    ManualClock clock_;
    SeededRng rng_{1};
    runtime::EventLoops loops_{1};
    runtime::Wiring wiring_{loops_, clock_, rng_, folder_.path()};
    std::unique_ptr<runtime::Module> module_;
    std::shared_ptr<Auth> auth_;
    rpc::CallContext owner_;
};

TEST_F(AuthServiceTest, ANewKeySpeaksForItsProjectWithItsScopes) {
    const auto made = create(owner_, "ci", {"inference", "credits:read"});
    ASSERT_TRUE(made);
    EXPECT_TRUE(is_well_formed_key(made->secret()));
    EXPECT_EQ(made->key().last4(), last4_of_key(made->secret()));
    EXPECT_EQ(made->key().created_at_us(), clock_.now().micros);

    const rpc::Principal principal = context_of(made->secret()).principal;

    EXPECT_EQ(principal.org_id, owner_.principal.org_id);
    EXPECT_EQ(principal.project_id, owner_.principal.project_id);
    EXPECT_EQ(principal.user_id, owner_.principal.user_id);
    EXPECT_EQ(principal.key_id, made->key().id());
    EXPECT_EQ(principal.scopes, (std::vector<std::string>{"inference", "credits:read"}));
}

TEST_F(AuthServiceTest, AKeyWithoutScopesIsForInference) {
    const auto made = create(owner_, "ci");

    ASSERT_TRUE(made);
    EXPECT_EQ(context_of(made->secret()).principal.scopes, std::vector<std::string>{"inference"});
}

TEST_F(AuthServiceTest, TheTextOfAKeyIsNowhereInTheStore) {
    const auto made = create(owner_, "ci");
    ASSERT_TRUE(made);
    for (const char* file : {"auth.db", "auth.db-wal"}) {
        std::ifstream stream(folder_.path() / file, std::ios::binary);
        const std::string content{std::istreambuf_iterator<char>(stream), {}};

        ASSERT_FALSE(content.empty()) << file;
        EXPECT_EQ(content.find(made->secret().substr(8, 43)), std::string::npos) << file;
    }
}

TEST_F(AuthServiceTest, RefusesKeysThatItNeverGave) {
    SeededRng other(99);
    std::string wrong_checksum = make_api_key(other);
    wrong_checksum.back() = wrong_checksum.back() == '0' ? '1' : '0';
    for (const std::string& key : {make_api_key(other), wrong_checksum, std::string("sk-proj-1"),
                                   std::string(), std::string("' OR 1=1 --")}) {
        const auto answer = authenticate(key);

        ASSERT_FALSE(answer) << key;
        EXPECT_EQ(answer.error(), authenticate("").error()) << key;
        expect_error(answer.error(), ErrorCode::kInvalidApiKey, "the API key is not valid");
    }
}

TEST_F(AuthServiceTest, AKeyEndsAtItsExpiry) {
    const Timestamp expiry = clock_.now() + 1h;
    const auto made = create(owner_, "ci", {}, expiry);
    ASSERT_TRUE(made);

    clock_.advance(expiry - clock_.now() - 1us);
    const auto before = authenticate(made->secret());
    clock_.advance(1us);
    const auto after = authenticate(made->secret());

    ASSERT_TRUE(before);
    EXPECT_EQ(before->expires_at_us(), expiry.micros);
    ASSERT_FALSE(after);
    expect_error(after.error(), ErrorCode::kApiKeyExpired, to_rfc3339(expiry));
}

TEST_F(AuthServiceTest, RefusesAnExpiryInThePast) {
    for (const Timestamp expiry : {clock_.now(), clock_.now() - 1h, Timestamp{-1}}) {
        const auto made = create(owner_, "ci", {}, expiry);

        ASSERT_FALSE(made);
        expect_error(made.error(), ErrorCode::kInvalidValue, "in the past");
    }
}

TEST_F(AuthServiceTest, RefusesAnExpiryThatHasNoFourDigitYear) {
    constexpr Timestamp kLast{253'402'300'799'999'999};

    EXPECT_TRUE(create(owner_, "ci", {}, kLast));
    const auto made = create(owner_, "ci", {}, Timestamp{kLast.micros + 1});

    ASSERT_FALSE(made);
    expect_error(made.error(), ErrorCode::kInvalidValue, "before the year 10000");
}

TEST_F(AuthServiceTest, ARevokedKeyIsRefusedAtOnceAndMayBeRevokedAgain) {
    const auto made = create(owner_, "ci");
    ASSERT_TRUE(made);
    const Timestamp revoked_at = clock_.now();

    ASSERT_TRUE(revoke(owner_, made->key().id()));

    const auto answer = authenticate(made->secret());
    ASSERT_FALSE(answer);
    expect_error(answer.error(), ErrorCode::kApiKeyRevoked, made->key().id());
    clock_.advance(1h);
    EXPECT_TRUE(revoke(owner_, made->key().id()));
    const auto keys = list(owner_);
    ASSERT_TRUE(keys);
    EXPECT_EQ(keys->keys(0).revoked_at_us(), revoked_at.micros);
}

TEST_F(AuthServiceTest, ForeignAndUnknownKeysAreNotFoundAlike) {
    const auto made = create(owner_, "ci");
    ASSERT_TRUE(made);
    rpc::CallContext other_project = owner_;
    other_project.principal.project_id = "prj_other";

    const auto foreign = revoke(stranger(), made->key().id());
    const auto elsewhere = revoke(other_project, made->key().id());
    const auto unknown = revoke(owner_, "key_unknown");

    ASSERT_FALSE(foreign);
    ASSERT_FALSE(elsewhere);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(foreign.error(),
              Error(ErrorCode::kNotFound, fmt::format("there is no key '{}'", made->key().id())));
    EXPECT_EQ(elsewhere.error(), foreign.error());
    EXPECT_EQ(unknown.error(), Error(ErrorCode::kNotFound, "there is no key 'key_unknown'"));
    EXPECT_TRUE(authenticate(made->secret()));
}

TEST_F(AuthServiceTest, ListsOnlyTheCallersKeys) {
    ASSERT_TRUE(create(owner_, "ci"));

    const auto foreign = list(stranger());

    ASSERT_TRUE(foreign);
    EXPECT_EQ(foreign->keys_size(), 0);
}

TEST_F(AuthServiceTest, AKeyCannotGiveScopesThatItLacks) {
    const auto made = create(owner_, "helper", {"keys:write", "inference"});
    ASSERT_TRUE(made);
    const rpc::CallContext helper = context_of(made->secret());

    EXPECT_TRUE(create(helper, "same", {"inference", "keys:write"}));
    for (const std::string scope : {"credits:write", "credits:read", "prompts:write"}) {
        const auto more = create(helper, "more", {"inference", scope});

        ASSERT_FALSE(more) << scope;
        expect_error(more.error(), ErrorCode::kPermissionDenied, scope);
    }
}

TEST_F(AuthServiceTest, AScopeIsGivenOnceHoweverOftenItIsNamed) {
    const auto made = create(owner_, "ci", {"inference", "keys:write", "inference"});

    ASSERT_TRUE(made);
    const auto& scopes = made->key().scopes();
    EXPECT_EQ(std::vector<std::string>(scopes.begin(), scopes.end()),
              (std::vector<std::string>{"inference", "keys:write"}));
}

TEST_F(AuthServiceTest, AKeyThatCannotInferDoesNotGiveInferenceByDefault) {
    const auto made = create(owner_, "helper", {"keys:write"});
    ASSERT_TRUE(made);

    const auto more = create(context_of(made->secret()), "more");

    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().code(), ErrorCode::kPermissionDenied);
}

TEST_F(AuthServiceTest, TheOperatorGivesAnyScope) {
    rpc::CallContext operator_ = owner_;
    operator_.principal.scopes.clear();
    operator_.principal.is_operator = true;

    EXPECT_TRUE(create(operator_, "ci", {"credits:write"}));
}

TEST_F(AuthServiceTest, RefusesScopesAndNamesThatAreNone) {
    for (const std::string scope : {"everything", "", "Inference", "inference keys:write"}) {
        const auto made = create(owner_, "ci", {scope});

        ASSERT_FALSE(made) << scope;
        expect_error(made.error(), ErrorCode::kInvalidValue, "the scopes are inference");
    }
    for (const std::string& name : {std::string(), std::string(101, 'x'), std::string("\x1b[2J"),
                                    std::string("a\nb"), std::string("\0", 1)}) {
        const auto made = create(owner_, name);

        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().detail("param"), "name");
    }
    EXPECT_TRUE(create(owner_, std::string(100, 'x')));
    std::string accents;
    for (int i = 0; i < 100; ++i) accents += "é";
    EXPECT_TRUE(create(owner_, accents));
}

TEST_F(AuthServiceTest, ListsKeysInPagesNewestFirst) {
    for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(create(owner_, name));

    const auto first = list(owner_, 2);
    ASSERT_TRUE(first);
    ASSERT_EQ(first->keys_size(), 2);
    const auto second = list(owner_, 2, first->keys(1).id());

    EXPECT_EQ(first->keys(0).name(), "c");
    EXPECT_EQ(first->keys(1).name(), "b");
    EXPECT_TRUE(first->has_more());
    ASSERT_TRUE(second);
    ASSERT_EQ(second->keys_size(), 2);
    EXPECT_EQ(second->keys(0).name(), "a");
    EXPECT_EQ(second->keys(1).name(), "first key");
    EXPECT_FALSE(second->has_more());
}

TEST_F(AuthServiceTest, RefusesAPageThatBeginsAfterNoKey) {
    const auto keys = list(owner_, 10, "zz");

    ASSERT_FALSE(keys);
    expect_error(keys.error(), ErrorCode::kInvalidValue, "after must be the id of a key");
    EXPECT_EQ(keys.error().detail("param"), "after");
}

TEST_F(AuthServiceTest, RefusesALimitOutOfItsRange) {
    for (const int limit : {-1, 1'001}) {
        const auto keys = list(owner_, limit);

        ASSERT_FALSE(keys) << limit;
        expect_error(keys.error(), ErrorCode::kInvalidValue, "it must be 1 to 1000");
        EXPECT_EQ(keys.error().detail("param"), "limit");
    }
    EXPECT_TRUE(list(owner_, 1'000));
}

TEST_F(AuthServiceTest, ListsOrganizationsInPages) {
    clock_.advance(1ms);
    const rpc::CallContext other = stranger();
    v1::ListOrganizationsRequest request;
    request.mutable_page()->set_limit(1);

    const auto first = run(auth_->list_organizations({}, request));
    ASSERT_TRUE(first);
    ASSERT_EQ(first->organizations_size(), 1);
    request.mutable_page()->set_after(first->organizations(0).id());
    const auto second = run(auth_->list_organizations({}, request));

    EXPECT_EQ(first->organizations(0).id(), owner_.principal.org_id);
    EXPECT_TRUE(first->has_more());
    ASSERT_TRUE(second);
    ASSERT_EQ(second->organizations_size(), 1);
    EXPECT_EQ(second->organizations(0).id(), other.principal.org_id);
    EXPECT_EQ(second->organizations(0).project_id(), other.principal.project_id);
    EXPECT_FALSE(second->has_more());
}

TEST_F(AuthServiceTest, ARepeatMakesNoSecondKeyAndNamesTheFirst) {
    rpc::CallContext keyed = owner_;
    keyed.idempotency_key = "once";
    const auto first = create(keyed, "ci");
    ASSERT_TRUE(first);
    const int keys = list(owner_)->keys_size();

    const auto again = create(keyed, "ci");

    ASSERT_FALSE(again);
    expect_error(again.error(), ErrorCode::kAlreadyCompleted, first->key().id());
    EXPECT_EQ(again.error().detail("key_id"), first->key().id());
    EXPECT_EQ(list(owner_)->keys_size(), keys);
    keyed.idempotency_key = "another";
    EXPECT_TRUE(create(keyed, "ci"));
}

TEST_F(AuthServiceTest, AClockThatIsSetAheadForgetsNoIdempotencyKey) {
    rpc::CallContext keyed = owner_;
    keyed.idempotency_key = "once";
    ASSERT_TRUE(create(keyed, "ci"));

    clock_.set(clock_.now() + 48h);

    EXPECT_FALSE(create(keyed, "ci"));
    clock_.advance(25h);
    EXPECT_TRUE(create(keyed, "ci"));
}

TEST_F(AuthServiceTest, ARefusedRequestLeavesItsIdempotencyKeyFree) {
    rpc::CallContext keyed = owner_;
    keyed.idempotency_key = "once";
    ASSERT_FALSE(create(keyed, ""));

    EXPECT_TRUE(create(keyed, "ci"));
}

}  // namespace
}  // namespace quire::auth
