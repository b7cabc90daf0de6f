// What happens to a request before and after its handler, through a real server.
#include "services/gateway/gateway_http.hpp"

#include "runtime/http/problem.hpp"
#include "runtime/metrics.hpp"
#include "runtime/task_group.hpp"
#include "services/gateway/gateway_routes.hpp"
#include "tests/support/chat_events.hpp"
#include "tests/support/gateway_under_test.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>

namespace quire::gateway {
namespace {

using namespace std::chrono_literals;
using common::v1::ChatEvent;
using test::GatewayUnderTest;
using test::HttpAnswer;

constexpr std::string_view kHello = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";

awaitable<Result<void>> answer(rpc::Sink<ChatEvent>& sink) {
    for (const ChatEvent& event :
         {test::started_event(), test::text_event("ok"), test::finished_event()}) {
        const auto written = co_await sink.write(event);
        if (!written) co_return written.error();
    }
    co_return Result<void>();
}

awaitable<Result<void>> fail(Error error) { co_return error; }

/// Waits for its cancellation, and notes it.
awaitable<Result<void>> wait_for_end(std::atomic<int>& begun, std::atomic<int>& cancelled) {
    ++begun;
    auto slept = co_await runtime::sleep_for(1h);
    if (!slept) ++cancelled;
    co_return slept;
}

GatewayConfig small_config() {
    GatewayConfig config;
    config.body_bytes_max = 1000;
    return config;
}

class GatewayHttpTest : public testing::Test {
protected:
    GatewayHttpTest() {
        gateway_.prompts->on_chat = [this](const rpc::CallContext& ctx,
                                           const prompts::v1::ChatCall& call,
                                           rpc::Sink<ChatEvent>& sink) {
            ctx_ = ctx;
            call_ = call;
            return answer(sink);
        };
    }
    /// Prompts refuse with this.
    void refuse(Error error) {
        gateway_.prompts->on_chat = [error](const rpc::CallContext&, const prompts::v1::ChatCall&,
                                            rpc::Sink<ChatEvent>&) { return fail(error); };
    }
    HttpAnswer chat(std::string_view body = kHello, const std::string& key = "good") {
        return gateway_.send("POST", "/v1/chat/completions", std::string(body), key);
    }

    rpc::CallContext ctx_;
    prompts::v1::ChatCall call_;
    GatewayUnderTest gateway_{small_config()};
};

/// One request with a fault and every fault that is looked for later.
struct Faulty {
    std::string_view method;
    std::string_view path;
    std::string_view key;
    std::string_view type;
    std::string body;
    int status;
    std::string_view code;
};

TEST_F(GatewayHttpTest, ChecksInTheOrderOfTheContract) {
    refuse(Error(ErrorCode::kModelNotFound, "no such model"));
    const std::string large(2000, 'x');
    const std::string_view chat = "/v1/chat/completions";
    const std::string_view json = "application/json";
    for (const Faulty& each : std::vector<Faulty>{
             {"PUT", "/v1/chat", "", "text/plain", large, 404, "not_found"},
             {"PUT", chat, "", "text/plain", large, 405, "method_not_allowed"},
             {"POST", chat, "", "text/plain", large, 401, "invalid_api_key"},
             {"POST", chat, "bad", "text/plain", large, 401, "invalid_api_key"},
             {"POST", chat, "bare", "text/plain", large, 415, "unsupported_media_type"},
             {"POST", chat, "bare", json, large, 413, "request_too_large"},
             {"POST", chat, "bare", json, "{", 400, "invalid_json"},
             {"POST", chat, "bare", json, R"({"model":"m"})", 400, "missing_required_parameter"},
             {"POST", chat, "bare", json, std::string(kHello), 403, "permission_denied"},
             {"POST", chat, "good", json, std::string(kHello), 404, "model_not_found"},
         }) {
        auto request = GatewayUnderTest::request(std::string(each.method), std::string(each.path),
                                                 "", std::string(each.key));
        request.headers.emplace_back("content-type", each.type);
        request.body = each.body;

        const HttpAnswer seen = gateway_.send(request);

        EXPECT_EQ(seen.status, each.status) << each.code;
        EXPECT_EQ(seen.code(), each.code);
    }
}

TEST_F(GatewayHttpTest, ChecksTheFieldsOfPromptsAndRequestsBeforeTheScope) {
    const std::string versions = "/api/v1/prompts/p/versions";
    struct Wrong {
        std::string_view method;
        std::string path;
        std::string_view body;
    };
    for (const Wrong& each : std::vector<Wrong>{
             {"POST", versions, R"({"messages":[]})"},
             {"POST", versions, R"({"messages":[{"role":"tool","content":"x"}]})"},
             {"POST", "/api/v1/prompts/P/versions",
              R"({"messages":[{"role":"user","content":"x"}]})"},
             {"POST", versions,
              R"({"messages":[{"role":"user","content":"x"}],"parameters":{"temperature":3}})"},
             {"POST", versions,
              R"({"messages":[{"role":"user","content":"x"}],"labels":["LOUD"]})"},
             {"PUT", "/api/v1/prompts/p/labels/LOUD", R"({"version":1})"},
             {"GET", "/api/v1/prompts/p?label=a&version=1", ""},
             {"GET", "/api/v1/requests?after=bogus", ""},
             {"GET", "/api/v1/requests?status=bogus", ""},
         }) {
        const HttpAnswer seen =
            gateway_.send(std::string(each.method), each.path, std::string(each.body), "bare");

        EXPECT_EQ(seen.status, 400) << each.path << each.body;
        EXPECT_EQ(seen.code(), "invalid_value") << each.path << each.body;
    }
}

TEST_F(GatewayHttpTest, SaysOpenAisVersionUnderV1Only) {
    const auto version = [this](const std::string& path, const std::string& key) {
        return std::string(gateway_.send("GET", path, "", key).headers.find("openai-version"));
    };

    EXPECT_EQ(chat().headers.find("openai-version"), "2020-10-01");
    EXPECT_EQ(chat("{").headers.find("openai-version"), "2020-10-01");
    EXPECT_EQ(version("/v1/models", ""), "2020-10-01");
    EXPECT_EQ(version("/v1/nothing", "good"), "2020-10-01");
    EXPECT_EQ(version("/api/v1/keys", ""), "");
    EXPECT_EQ(version("/nothing", "good"), "");
}

TEST_F(GatewayHttpTest, NamesTheVerbsOfAPathInAllow) {
    const HttpAnswer seen = gateway_.send("PATCH", "/api/v1/keys", "", "");

    EXPECT_EQ(seen.status, 405);
    EXPECT_EQ(seen.headers.find("allow"), "POST, GET");
}

/// A body that the route's handler takes, up to the check of the scope.
std::string_view good_body(std::string_view path) {
    if (path.starts_with("/v1")) return kHello;
    if (path.ends_with("/generate")) return R"({"prompt":"p"})";
    if (path.ends_with("/versions")) return R"({"messages":[{"role":"user","content":"x"}]})";
    return path.ends_with("/keys") ? R"({"name":"n"})" : R"({"version":1})";
}

TEST_F(GatewayHttpTest, EveryRouteNeedsItsScopeBeforeAnythingIsCalled) {
    for (const Route& route : all_routes()) {
        std::string path(route.path);
        for (auto at = path.find('{'); at != std::string::npos; at = path.find('{')) {
            path.replace(at, path.find('}', at) + 1 - at, "x");
        }
        const std::string body(route.takes_body ? good_body(route.path) : "");

        const HttpAnswer seen = gateway_.send(std::string(route.verb), path, body, "bare");

        EXPECT_EQ(seen.status, 403) << route.path;
        EXPECT_EQ(seen.code(), "permission_denied") << route.path;
    }
    EXPECT_EQ(gateway_.prompts->chat_calls, 0);
    EXPECT_EQ(gateway_.prompts->list_models_calls, 0);
    EXPECT_EQ(gateway_.prompts->generate_calls, 0);
    EXPECT_EQ(gateway_.prompts->publish_version_calls, 0);
    EXPECT_EQ(gateway_.auth->create_key_calls, 0);
    EXPECT_EQ(gateway_.auth->list_keys_calls, 0);
    EXPECT_EQ(gateway_.auth->revoke_key_calls, 0);
}

TEST_F(GatewayHttpTest, TakesJsonHoweverItIsWritten) {
    struct Case {
        std::string_view type;
        std::string_view encoding;
        int status;
    };
    for (const Case& each : std::vector<Case>{
             {"application/json", "", 200},
             {"Application/JSON; charset=utf-8", "", 200},
             {" application/json ;x", "identity", 200},
             {"", "", 415},
             {"text/plain", "", 415},
             {"application/jsonp", "", 415},
             {"application/json", "gzip", 415},
             {"multipart/form-data; boundary=application/json", "", 415},
         }) {
        auto request = GatewayUnderTest::request("POST", "/v1/chat/completions");
        if (!each.type.empty()) request.headers.emplace_back("content-type", each.type);
        if (!each.encoding.empty()) request.headers.emplace_back("content-encoding", each.encoding);
        request.body = kHello;

        EXPECT_EQ(gateway_.send(request).status, each.status) << each.type << each.encoding;
    }
}

TEST_F(GatewayHttpTest, RefusesBodiesThatAreNoJsonObject) {
    for (const std::string& body :
         {std::string("[]"), std::string("5"), std::string("null"), std::string("x"),
          std::string("{} {}"), std::string("{\"a\":\"\xff\"}"),
          "{\"a\":" + std::string(64, '[') + std::string(64, ']') + "}"}) {
        const HttpAnswer seen = chat(body);

        EXPECT_EQ(seen.status, 400) << body;
        EXPECT_EQ(seen.code(), "invalid_json") << body;
    }
    EXPECT_EQ(gateway_.prompts->chat_calls, 0);
}

TEST_F(GatewayHttpTest, TakesTheKeyFromAnyOfItsHeaders) {
    struct Case {
        std::vector<std::pair<std::string, std::string>> headers;
        int status;
    };
    gateway_.prompts->on_list_models = [](const rpc::CallContext&,
                                          const prompts::v1::ListModelsRequest&)
        -> awaitable<Result<prompts::v1::ListModelsResponse>> {
        co_return prompts::v1::ListModelsResponse();
    };
    for (const Case& each : std::vector<Case>{
             {{{"authorization", "Bearer good"}}, 200},
             {{{"Authorization", "bearer   good "}}, 200},
             {{{"api-key", "good"}}, 200},
             {{{"x-api-key", "good"}}, 200},
             {{{"api-key", "good"}, {"x-api-key", "bad"}}, 200},
             {{{"authorization", "Bearer bad"}, {"api-key", "good"}}, 401},
             {{{"authorization", "Basic good"}, {"api-key", "good"}}, 401},
             {{{"authorization", "good"}}, 401},
             {{{"authorization", "Bearer"}}, 401},
             {{{"authorization", "Bearer "}}, 401},
             {{{"x-quire-key", "good"}}, 401},
             {{}, 401},
         }) {
        auto request = GatewayUnderTest::request("GET", "/v1/models", "", "");
        request.headers = each.headers;

        const HttpAnswer seen = gateway_.send(request);

        EXPECT_EQ(seen.status, each.status)
            << (each.headers.empty() ? "none" : each.headers[0].second);
    }
}

TEST_F(GatewayHttpTest, PassesOnWhatAuthSaysOfAKey) {
    for (const ErrorCode code :
         {ErrorCode::kApiKeyExpired, ErrorCode::kApiKeyRevoked, ErrorCode::kStorageUnavailable}) {
        gateway_.keys.insert_or_assign("old", Error(code, "no"));

        const HttpAnswer seen = chat(kHello, "old");

        EXPECT_EQ(seen.status, row_of(code).http_status);
        EXPECT_EQ(seen.code(), row_of(code).name);
    }
    EXPECT_EQ(gateway_.prompts->chat_calls, 0);
}

TEST_F(GatewayHttpTest, GivesPromptsTheWholeContext) {
    auto request = GatewayUnderTest::request("POST", "/v1/chat/completions", std::string(kHello));
    request.headers.emplace_back("traceparent",
                                 "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    request.headers.emplace_back("tracestate", "a=b");
    request.headers.emplace_back("idempotency-key", "once");
    const SteadyTime began = SystemClock().steady();

    const HttpAnswer seen = gateway_.send(request);

    EXPECT_EQ(seen.headers.find("x-request-id"), ctx_.request_id);
    EXPECT_TRUE(ctx_.request_id.starts_with("req_"));
    EXPECT_EQ(ctx_.principal.org_id, "org_1");
    EXPECT_EQ(ctx_.principal.key_id, "key_1");
    EXPECT_EQ(ctx_.trace.trace_id_hex(), "0af7651916cd43dd8448eb211c80319c");
    EXPECT_EQ(ctx_.trace.traceparent().find("b7ad6b7169203331"), std::string::npos);
    EXPECT_EQ(ctx_.trace.tracestate, "a=b");
    EXPECT_EQ(ctx_.idempotency_key, "once");
    ASSERT_NE(ctx_.retries, nullptr);
    EXPECT_EQ(ctx_.retries->left(), 2);
    EXPECT_GE(ctx_.deadline - began, 600s);
    EXPECT_LT(ctx_.deadline - began, 620s);
}

TEST_F(GatewayHttpTest, GivesPromptsTheRequestAndTheStepsBefore) {
    EXPECT_EQ(chat().status, 200);

    EXPECT_EQ(call_.request().model(), "m");
    EXPECT_EQ(call_.request().messages(0).parts(0).text(), "hi");
    EXPECT_EQ(call_.route(), "/v1/chat/completions");
    EXPECT_FALSE(call_.streamed());
    ASSERT_EQ(call_.steps_size(), 1);
    EXPECT_EQ(call_.steps(0).name(), "auth");
}

TEST_F(GatewayHttpTest, EveryRequestHasAnIdOfItsOwn) {
    const std::string first(chat().headers.find("x-request-id"));
    const std::string second(chat().headers.find("x-request-id"));
    const std::string unknown(gateway_.send("GET", "/nope").headers.find("x-request-id"));

    EXPECT_NE(first, second);
    EXPECT_TRUE(unknown.starts_with("req_")) << unknown;
}

TEST_F(GatewayHttpTest, AsksAuthOncePerKey) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(chat().status, 200);

    EXPECT_EQ(gateway_.auth->authenticate_calls, 1);
}

TEST_F(GatewayHttpTest, SpeaksTheDialectOfThePath) {
    EXPECT_EQ(gateway_.send("GET", "/v1/nope").headers.find("content-type"), "application/json");
    EXPECT_EQ(gateway_.send("GET", "/api/v1/nope").headers.find("content-type"),
              "application/problem+json");
}

TEST_F(GatewayHttpTest, AnswersWithEveryErrorOfPrompts) {
    for (const ErrorRow& row : error_catalogue()) {
        if (row.code == ErrorCode::kCancelled) continue;
        refuse(Error(row.code, "why").with_retry_after(1500ms).with_detail("balance", "3"));

        const HttpAnswer seen = chat();

        // These two are of streams; where nothing was sent yet there is a status for each.
        ErrorCode code = row.code;
        if (code == ErrorCode::kStreamInterrupted) code = ErrorCode::kUpstreamError;
        if (code == ErrorCode::kSettleFailed) code = ErrorCode::kStorageUnavailable;
        const ErrorRow& shown = row_of(code);
        EXPECT_EQ(seen.status, shown.http_status == 0 ? 500 : shown.http_status) << row.name;
        EXPECT_EQ(seen.code(), shown.name);
        EXPECT_TRUE(seen.headers.find("x-request-id").starts_with("req_"));
    }
}

TEST_F(GatewayHttpTest, WhatIsPaidForIsNotToBeRepeatedThoughItsStatusIsAnother) {
    refuse(Error(ErrorCode::kStreamInterrupted, "cut"));
    const HttpAnswer free = chat();
    refuse(Error(ErrorCode::kStreamInterrupted, "cut").as_paid());
    const HttpAnswer paid = chat();

    EXPECT_EQ(free.code(), "upstream_error");
    EXPECT_EQ(free.headers.find("x-should-retry"), "");
    EXPECT_EQ(paid.code(), "upstream_error");
    EXPECT_EQ(paid.headers.find("x-should-retry"), "false");
}

TEST_F(GatewayHttpTest, AnswersInUtf8WhateverThePathHolds) {
    for (const std::string_view path : {"/v1/\xff\xfe", "/api/v1/\xff"}) {
        const HttpAnswer seen = gateway_.send("GET", std::string(path));

        EXPECT_TRUE(runtime::is_valid_utf8(seen.body)) << seen.body;
    }
}

TEST_F(GatewayHttpTest, KeepsUnknownPathsOutOfTheMetrics) {
    EXPECT_EQ(gateway_.send("BREW", "/v1/secret-path", "", "").status, 404);
    EXPECT_EQ(gateway_.send("GET", "/v1/models/secret-model", "", "").status, 401);

    const std::string metrics = runtime::metrics_text();

    EXPECT_EQ(metrics.find("secret"), std::string::npos);
    EXPECT_EQ(metrics.find("BREW"), std::string::npos);
    EXPECT_NE(metrics.find("code=\"404\",method=\"unknown\",route=\"unknown\""), std::string::npos)
        << metrics;
    EXPECT_NE(metrics.find("code=\"401\",method=\"GET\",route=\"/v1/models/{model…}\""),
              std::string::npos);
}

TEST_F(GatewayHttpTest, RefusesEverythingWhileItDrains) {
    gateway_.http->begin_drain();

    for (const std::string_view path : {"/v1/models", "/v1/nope"}) {
        const HttpAnswer seen = gateway_.send("GET", std::string(path));

        EXPECT_EQ(seen.status, 503);
        EXPECT_EQ(seen.code(), "shutting_down");
        EXPECT_NE(seen.headers.find("retry-after"), "");
    }
}

TEST_F(GatewayHttpTest, AnswersBrokenHttpInItsOwnDialect) {
    const Error error(ErrorCode::kInvalidValue, "not HTTP");
    for (const auto& [target, content_type] :
         {std::pair("", "application/json"), std::pair("/v1/models?x=/api/v1/", "application/json"),
          std::pair("/api/v1/keys?a=b", "application/problem+json")}) {
        const http::Response page = gateway_.http->malformed(error, target);

        EXPECT_EQ(page.status, 400);
        EXPECT_EQ(page.content_type, content_type) << target;
        EXPECT_NE(page.body.find(R"("code":"invalid_value")"), std::string::npos) << page.body;
        EXPECT_NE(page.body.find(R"("trace_id":")"), std::string::npos) << page.body;
    }
}

TEST_F(GatewayHttpTest, AClientThatLeavesCancelsItsRequest) {
    std::atomic<int> begun{0};
    std::atomic<int> cancelled{0};
    gateway_.prompts->on_chat = [&](const rpc::CallContext&, const prompts::v1::ChatCall&,
                                    rpc::Sink<ChatEvent>&) {
        return wait_for_end(begun, cancelled);
    };
    auto leave = [this]() -> awaitable<void> {
        auto request =
            GatewayUnderTest::request("POST", "/v1/chat/completions", std::string(kHello));
        const auto seen = co_await gateway_.fetch(std::move(request));
        EXPECT_FALSE(seen);
    };
    runtime::TaskGroup client;
    client.spawn(gateway_.loop().get_executor(), "client", leave());
    ASSERT_TRUE(test::wait_until([&] { return begun == 1; }));

    client.cancel();
    client.join_blocking();

    EXPECT_TRUE(test::wait_until([&] { return cancelled == 1; }));
    EXPECT_TRUE(test::wait_until([&] { return gateway_.server->active_exchanges() == 0; }));
    EXPECT_NE(runtime::metrics_text().find("code=\"499\""), std::string::npos);
}

TEST(GatewayDeadline, ARequestThatTakesTooLongIsCancelledAndAnswered504) {
    GatewayConfig config;
    config.request_deadline = 30ms;
    std::atomic<int> begun{0};
    std::atomic<int> cancelled{0};
    GatewayUnderTest gateway(config);
    gateway.prompts->on_chat = [&](const rpc::CallContext&, const prompts::v1::ChatCall&,
                                   rpc::Sink<ChatEvent>&) {
        return wait_for_end(begun, cancelled);
    };

    const HttpAnswer seen = gateway.send("POST", "/v1/chat/completions", std::string(kHello));

    EXPECT_EQ(seen.status, 504);
    EXPECT_EQ(seen.code(), "deadline_exceeded");
    EXPECT_EQ(cancelled, 1);
}

}  // namespace
}  // namespace quire::gateway
