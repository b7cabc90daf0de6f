#include "services/gateway/principal_cache.hpp"

#include "quire/auth/v1/auth_fake.hpp"
#include "tests/support/run_coroutine.hpp"

#include <gtest/gtest.h>

namespace quire::gateway {
namespace {

using namespace std::chrono_literals;

/// Auth that knows every key but `bad`; the key's text becomes its id.
class PrincipalCacheTest : public testing::Test {
protected:
    PrincipalCacheTest() {
        auth_->on_authenticate = [this](const rpc::CallContext&,
                                        const auth::v1::AuthenticateRequest& request) {
            return authenticate(request);
        };
    }

    awaitable<Result<auth::v1::AuthenticateResponse>> authenticate(
        const auth::v1::AuthenticateRequest& request) {
        if (request.key() == "bad") co_return refusal_;
        auth::v1::AuthenticateResponse response;
        auto& principal = *response.mutable_principal();
        principal.set_org_id("org_1");
        principal.set_project_id("prj_1");
        principal.set_user_id("usr_1");
        principal.set_key_id("key_" + request.key());
        principal.add_scopes("inference");
        principal.add_scopes("keys:write");
        response.set_expires_at_us(expires_at_.micros);
        co_return response;
    }
    Result<std::shared_ptr<const rpc::Principal>> find(std::string_view key) {
        return test::run(cache_.find(ctx_, key));
    }

    ManualClock clock_;
    std::shared_ptr<auth::FakeAuth> auth_ = std::make_shared<auth::FakeAuth>();
    Error refusal_{ErrorCode::kInvalidApiKey, "no"};
    Timestamp expires_at_{0};
    rpc::CallContext ctx_;
    PrincipalCache cache_{auth_, clock_, 5s};
};

TEST_F(PrincipalCacheTest, GivesThePrincipalOfAKey) {
    const auto found = find("a");

    ASSERT_TRUE(found);
    const rpc::Principal& principal = **found;
    EXPECT_EQ(principal.org_id, "org_1");
    EXPECT_EQ(principal.project_id, "prj_1");
    EXPECT_EQ(principal.user_id, "usr_1");
    EXPECT_EQ(principal.key_id, "key_a");
    EXPECT_EQ(principal.scopes, (std::vector<std::string>{"inference", "keys:write"}));
    EXPECT_FALSE(principal.is_operator);
}

TEST_F(PrincipalCacheTest, AsksOnceForAKeyItRemembers) {
    const auto first = find("a");
    clock_.advance(4'999ms);
    const auto second = find("a");

    ASSERT_TRUE(first && second);
    EXPECT_EQ(auth_->authenticate_calls, 1);
    EXPECT_EQ((*second)->key_id, "key_a");
}

TEST_F(PrincipalCacheTest, AsksAgainAfterFiveSeconds) {
    ASSERT_TRUE(find("a"));
    clock_.advance(5s);
    ASSERT_TRUE(find("a"));

    EXPECT_EQ(auth_->authenticate_calls, 2);
}

TEST_F(PrincipalCacheTest, UsingAKeyDoesNotMakeItsTimeLonger) {
    ASSERT_TRUE(find("a"));
    for (int i = 0; i < 5; ++i) {
        clock_.advance(1s);
        ASSERT_TRUE(find("a"));
    }

    EXPECT_EQ(auth_->authenticate_calls, 2);
}

TEST_F(PrincipalCacheTest, TellsKeysApart) {
    const auto a = find("a");
    const auto b = find("b");

    ASSERT_TRUE(a && b);
    EXPECT_EQ((*a)->key_id, "key_a");
    EXPECT_EQ((*b)->key_id, "key_b");
    EXPECT_EQ(auth_->authenticate_calls, 2);
}

TEST_F(PrincipalCacheTest, ForgetsAKeyAtItsOwnEnd) {
    expires_at_ = clock_.now() + 2s;
    ASSERT_TRUE(find("a"));
    clock_.advance(1'999ms);
    ASSERT_TRUE(find("a"));
    EXPECT_EQ(auth_->authenticate_calls, 1);

    clock_.advance(1ms);
    ASSERT_TRUE(find("a"));
    EXPECT_EQ(auth_->authenticate_calls, 2);
}

TEST_F(PrincipalCacheTest, AKeyThatExpiresLaterIsKeptForFiveSeconds) {
    expires_at_ = clock_.now() + 1h;
    ASSERT_TRUE(find("a"));
    clock_.advance(4s);
    ASSERT_TRUE(find("a"));
    EXPECT_EQ(auth_->authenticate_calls, 1);

    clock_.advance(1s);
    ASSERT_TRUE(find("a"));
    EXPECT_EQ(auth_->authenticate_calls, 2);
}

TEST_F(PrincipalCacheTest, ForgetsARevokedKeyAtOnce) {
    ASSERT_TRUE(find("a"));
    ASSERT_TRUE(find("b"));

    cache_.forget("key_a");
    ASSERT_TRUE(find("a"));
    ASSERT_TRUE(find("b"));

    EXPECT_EQ(auth_->authenticate_calls, 3);
}

TEST_F(PrincipalCacheTest, KeepsNothingThatWasRevokedWhileItWasAskedFor) {
    auth_->on_authenticate = [this](const rpc::CallContext&,
                                    const auth::v1::AuthenticateRequest& request) {
        cache_.forget("key_a");  // after auth has read the row
        return authenticate(request);
    };
    ASSERT_TRUE(find("a"));
    ASSERT_TRUE(find("a"));

    EXPECT_EQ(auth_->authenticate_calls, 2);
}

TEST_F(PrincipalCacheTest, KeepsNoRefusal) {
    for (const ErrorCode code : {ErrorCode::kInvalidApiKey, ErrorCode::kApiKeyExpired,
                                 ErrorCode::kApiKeyRevoked, ErrorCode::kStorageUnavailable}) {
        refusal_ = Error(code, "no");
        auth_->authenticate_calls = 0;

        const auto first = find("bad");
        const auto second = find("bad");

        ASSERT_FALSE(first);
        ASSERT_FALSE(second);
        EXPECT_EQ(first.error().code(), code);
        EXPECT_EQ(auth_->authenticate_calls, 2);
    }
}

}  // namespace
}  // namespace quire::gateway
