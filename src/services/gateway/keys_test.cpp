// The three operations on keys: what goes to auth, and what comes back.
#include "services/gateway/gateway_api.hpp"
#include "tests/support/gateway_under_test.hpp"

#include <gtest/gtest.h>

namespace quire::gateway {
namespace {

using test::HttpAnswer;

const std::string kAfterKey = "key_01ARZ3NDEKTSV4RRFFQ69G5FAV";

auth::v1::Key key_of(const std::string& id) {
    auth::v1::Key key;
    key.set_id(id);
    key.set_name("n\"1");
    key.add_scopes("inference");
    key.set_last4("abcd");
    key.set_created_at_us(1'790'000'000'000'000);
    return key;
}

awaitable<Result<auth::v1::CreateKeyResponse>> create(auth::v1::CreateKeyRequest request,
                                                      auth::v1::CreateKeyRequest& seen) {
    seen = std::move(request);
    auth::v1::CreateKeyResponse response;
    *response.mutable_key() = key_of("key_9");
    response.set_secret("qk_live_secret");
    co_return response;
}

awaitable<Result<auth::v1::ListKeysResponse>> list(auth::v1::ListKeysRequest request,
                                                   auth::v1::ListKeysRequest& seen) {
    seen = std::move(request);
    auth::v1::ListKeysResponse response;
    *response.add_keys() = key_of("key_2");
    auto& revoked = *response.add_keys();
    revoked = key_of("key_1");
    revoked.set_expires_at_us(1'790'000'000'000'001);
    revoked.set_revoked_at_us(1'790'000'000'500'000);
    response.set_has_more(true);
    co_return response;
}

awaitable<Result<auth::v1::RevokeKeyResponse>> revoke(auth::v1::RevokeKeyRequest request,
                                                      std::string& seen) {
    seen = request.id();
    if (seen == "key_unknown") co_return Error(ErrorCode::kNotFound, "no such key");
    co_return auth::v1::RevokeKeyResponse();
}

class GatewayKeys : public testing::Test {
protected:
    GatewayKeys() {
        gateway_.auth->on_create_key = [this](const rpc::CallContext&,
                                              const auth::v1::CreateKeyRequest& request) {
            return create(request, created_);
        };
        gateway_.auth->on_list_keys = [this](const rpc::CallContext&,
                                             const auth::v1::ListKeysRequest& request) {
            return list(request, listed_);
        };
        gateway_.auth->on_revoke_key = [this](const rpc::CallContext&,
                                              const auth::v1::RevokeKeyRequest& request) {
            return revoke(request, revoked_);
        };
    }
    HttpAnswer post(std::string body) {
        return gateway_.send("POST", "/api/v1/keys", std::move(body));
    }

    test::GatewayUnderTest gateway_;
    auth::v1::CreateKeyRequest created_;
    auth::v1::ListKeysRequest listed_;
    std::string revoked_;
};

TEST_F(GatewayKeys, CreatesAKeyAndShowsItOnce) {
    const HttpAnswer answer = post(
        R"({"name":"ci","scopes":["inference","keys:write"],"expires_at":"2327-01-31T00:00:00Z"})");

    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.body, R"({"id":"key_9","name":"n\"1","scopes":["inference"],"last4":"abcd",)"
                           R"("created_at":"2026-09-21T14:13:20.000000Z","expires_at":null,)"
                           R"("key":"qk_live_secret"})");
    EXPECT_EQ(created_.name(), "ci");
    EXPECT_EQ(created_.scopes_size(), 2);
    EXPECT_EQ(created_.expires_at_us(), 11'268'374'400'000'000);
}

TEST_F(GatewayKeys, NeedsANameOnly) {
    EXPECT_EQ(post(R"({"name":"ci","scopes":null,"expires_at":null})").status, 201);
    EXPECT_EQ(created_.scopes_size(), 0);
    EXPECT_EQ(created_.expires_at_us(), 0);
}

TEST_F(GatewayKeys, RefusesFieldsThatAreWrongNamingThem) {
    struct Case {
        std::string body;
        std::string_view code;
        std::string_view pointer;
    };
    for (const Case& each : std::vector<Case>{
             {R"({})", "missing_required_parameter", "/name"},
             {R"({"name":null})", "missing_required_parameter", "/name"},
             {R"({"name":5})", "invalid_value", "/name"},
             {R"({"name":"n","scopes":"inference"})", "invalid_value", "/scopes"},
             {R"({"name":"n","scopes":[5]})", "invalid_value", "/scopes"},
             {R"({"name":"n","expires_at":5})", "invalid_value", "/expires_at"},
             {R"({"name":"n","expires_at":"tomorrow"})", "invalid_value", "/expires_at"},
             {R"({"name":"n","scope":"x"})", "unsupported_parameter", "/scope"},
         }) {
        const HttpAnswer answer = post(each.body);

        EXPECT_EQ(answer.status, 400) << each.body;
        EXPECT_EQ(answer.code(), each.code) << each.body;
        EXPECT_EQ(answer.at("/errors/0/pointer"), each.pointer);
    }
    EXPECT_EQ(gateway_.auth->create_key_calls, 0);
}

TEST_F(GatewayKeys, ChecksTheFieldsBeforeTheScope) {
    for (const std::string_view body :
         {R"({"name":""})", R"({"name":"a\u0007b"})", R"({"name":"n","scopes":["fly"]})",
          R"({"name":"n","expires_at":"2001-01-01T00:00:00Z"})",
          R"({"name":"n","expires_at":"1960-01-01T00:00:00Z"})"}) {
        const HttpAnswer answer = gateway_.send("POST", "/api/v1/keys", std::string(body), "bare");

        EXPECT_EQ(answer.status, 400) << body;
        EXPECT_EQ(answer.code(), "invalid_value") << body;
    }
    EXPECT_EQ(gateway_.send("POST", "/api/v1/keys", R"({"name":"n"})", "bare").status, 403);
    EXPECT_EQ(gateway_.send("GET", "/api/v1/keys?after=bogus", "", "bare").status, 400);
    EXPECT_EQ(gateway_.auth->create_key_calls, 0);
}

TEST_F(GatewayKeys, QuotesTheBeginningOfALongFieldOnly) {
    const HttpAnswer answer = post("{\"" + std::string(50'000, 'f') + "\":1}");

    EXPECT_EQ(answer.code(), "unsupported_parameter");
    EXPECT_LT(answer.body.size(), 2000U);
}

TEST_F(GatewayKeys, ListsAPageNewestFirst) {
    const HttpAnswer answer = gateway_.send("GET", "/api/v1/keys?after=" + kAfterKey + "&limit=2");

    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body,
              R"({"data":[{"id":"key_2","name":"n\"1","scopes":["inference"],"last4":"abcd",)"
              R"("created_at":"2026-09-21T14:13:20.000000Z","expires_at":null,"revoked_at":null},)"
              R"({"id":"key_1","name":"n\"1","scopes":["inference"],"last4":"abcd",)"
              R"("created_at":"2026-09-21T14:13:20.000000Z",)"
              R"("expires_at":"2026-09-21T14:13:20.000001Z",)"
              R"("revoked_at":"2026-09-21T14:13:20.500000Z"}],"has_more":true})");
    EXPECT_EQ(listed_.page().after(), kAfterKey);
    EXPECT_EQ(listed_.page().limit(), 2);
}

TEST_F(GatewayKeys, TakesLimitsFromOneToAThousand) {
    for (const std::string_view query : {"", "?limit=1", "?limit=1000", "?other=x"}) {
        EXPECT_EQ(gateway_.send("GET", "/api/v1/keys" + std::string(query)).status, 200) << query;
    }
    for (const std::string_view query :
         {"?limit=0", "?limit=-1", "?limit=1001", "?limit=x", "?limit=", "?limit=1.5"}) {
        const HttpAnswer answer = gateway_.send("GET", "/api/v1/keys" + std::string(query));

        EXPECT_EQ(answer.status, 400) << query;
        EXPECT_EQ(answer.code(), "invalid_value") << query;
    }
}

TEST_F(GatewayKeys, RevokesAKeyWithoutABodyToAnswer) {
    const HttpAnswer answer = gateway_.send("DELETE", "/api/v1/keys/key%5F1");

    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(answer.headers.find("content-type"), "");
    EXPECT_EQ(revoked_, "key_1");
}

TEST_F(GatewayKeys, SaysThatThereIsNoSuchKey) {
    const HttpAnswer answer = gateway_.send("DELETE", "/api/v1/keys/key_unknown");

    EXPECT_EQ(answer.status, 404);
    EXPECT_EQ(answer.code(), "not_found");
}

/// The key of these requests is key_1: revoking it must be in force with the next one.
TEST_F(GatewayKeys, ARevokedKeyIsForgottenAtOnce) {
    ASSERT_EQ(gateway_.send("DELETE", "/api/v1/keys/key_1").status, 204);
    EXPECT_EQ(gateway_.auth->authenticate_calls, 1);
    gateway_.keys.insert_or_assign("good", Error(ErrorCode::kApiKeyRevoked, "revoked"));

    const HttpAnswer answer = gateway_.send("GET", "/api/v1/keys");

    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(answer.code(), "api_key_revoked");
}

}  // namespace
}  // namespace quire::gateway
