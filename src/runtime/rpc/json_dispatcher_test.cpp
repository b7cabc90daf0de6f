// Auth's methods, answered by its fake, over a Unix socket as `quire call` speaks to it.
#include "runtime/rpc/json_dispatcher.hpp"

#include "quire/auth/v1/auth_fake.hpp"
#include "quire/auth/v1/auth_rpc.hpp"
#include "runtime/http/http_client.hpp"
#include "runtime/http/problem.hpp"
#include "runtime/json.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace quire::rpc {
namespace {

using auth::v1::CreateKeyRequest;
using auth::v1::CreateKeyResponse;
using auth::v1::ListKeysRequest;
using auth::v1::ListKeysResponse;
using common::v1::OutboxPage;
using common::v1::ReadOutboxRequest;

struct Answer {
    int status = 0;
    std::string content_type;
    std::string request_id;
    std::string body;
};

awaitable<Result<Answer>> fetch(http::Client& client, const http::Target& target,
                                const http::ClientRequest& request) {
    QUIRE_CO_TRY(const auto response, client.send(target, request));
    Answer answer;
    answer.status = response->status();
    answer.content_type = response->headers().find("content-type");
    answer.request_id = response->headers().find("x-request-id");
    QUIRE_CO_TRY(answer.body, http::read_all(*response, 1'000'000));
    co_return answer;
}

/// Knows one organization, and gives it to those who name none. "several" is where there are more.
awaitable<Result<Principal>> resolve_org(const std::string& org) {
    Principal principal;
    principal.org_id = org.empty() ? "org_only" : org;
    if (org == "org_unknown") co_return Error(ErrorCode::kNotFound, "there is no org_unknown");
    if (org == "several") co_return Error(ErrorCode::kMissingRequiredParameter, "name one");
    co_return principal;
}

/// Makes a key named after all that the context says.
awaitable<Result<CreateKeyResponse>> describe(const CallContext& ctx,
                                              const CreateKeyRequest& request) {
    CreateKeyResponse response;
    response.mutable_key()->set_id(ctx.request_id);
    response.mutable_key()->set_name(fmt::format(
        "{} {} operator={} retries={} deadline={}", request.name(), ctx.principal.org_id,
        ctx.principal.is_operator, ctx.retries->left(), ctx.deadline != SteadyTime::max()));
    co_return response;
}

awaitable<Result<ListKeysResponse>> refuse(const CallContext& /*ctx*/,
                                           const ListKeysRequest& request) {
    if (request.page().limit() != 5) co_return ListKeysResponse();
    co_return Error(ErrorCode::kInvalidValue, "five is right out").with_param("limit");
}

/// A stream of as many pages as `limit` says, which fails at the fourth.
awaitable<Result<void>> stream_pages(const CallContext& /*ctx*/, ServerStream& stream) {
    QUIRE_CO_TRY(const ReadOutboxRequest request, read_single<ReadOutboxRequest>(stream));
    for (int i = 1; i <= request.limit(); ++i) {
        if (i == 4) co_return Error(ErrorCode::kStorageUnavailable, "the disk is gone");
        OutboxPage page;
        page.add_events()->set_sequence(i);
        const auto written = co_await stream.write(page);
        if (!written) co_return written.error();
    }
    co_return Result<void>();
}

class JsonDispatcherTest : public testing::Test {
protected:
    JsonDispatcherTest() {
        fake_.on_create_key = describe;
        fake_.on_list_keys = refuse;
        registry_.add(auth::auth_methods(fake_));
        registry_.add({{"quire.test.v1.Test", "Stream", MethodKind::kServerStream,
                        Access::kOperator, "", false, stream_pages},
                       {"quire.test.v1.Test", "Talk", MethodKind::kTwoWay, Access::kOperator, "",
                        false, stream_pages}});
        target_.url = {false, "localhost", 80, ""};
        target_.unix_path = folder_.path() / "quire.sock";
        const auto listening = server_.listen({{}, target_.unix_path});
        EXPECT_TRUE(listening);
    }
    ~JsonDispatcherTest() override { server_.stop(); }

    Answer call(std::string method, std::string body, std::string org = "") {
        http::ClientRequest request;
        request.path = "/rpc/" + method;
        request.body = std::move(body);
        if (!org.empty()) request.headers.emplace_back("x-quire-org", org);
        return send(request);
    }
    Answer send(const http::ClientRequest& request) {
        const auto answer = test::run_on(loops_.loop(0), fetch(client_, target_, request));
        EXPECT_TRUE(answer) << answer.error().message();
        return answer ? *answer : Answer();
    }
    static void expect_problem(const Answer& answer, int status, std::string_view code,
                               std::string_view message) {
        EXPECT_EQ(answer.status, status) << answer.body;
        EXPECT_EQ(answer.content_type, "application/problem+json");
        const auto body = runtime::parse_json(answer.body);
        ASSERT_TRUE(body) << answer.body;
        const json::object& problem = body->as_object();
        EXPECT_EQ(runtime::text_member(problem, "code"), code);
        EXPECT_NE(runtime::text_member(problem, "detail").find(message), std::string_view::npos)
            << answer.body;
        EXPECT_EQ(runtime::text_member(problem, "request_id"), answer.request_id);
        EXPECT_TRUE(answer.request_id.starts_with("req_"));
    }

    test::TemporaryFolder folder_;
    auth::FakeAuth fake_;
    MethodRegistry registry_;
    SystemClock clock_;
    SystemRng rng_;
    JsonDispatcher dispatcher_{registry_, resolve_org, clock_, rng_};
    runtime::EventLoops loops_{2};
    http::Client client_{loops_};
    http::Target target_;
    http::Server server_{
        loops_,
        "test",
        {},
        [this](http::Exchange& exchange) { return dispatcher_.handle(exchange); },
        [](const Error& error, std::string_view /*target*/) { return http::problem(error, ""); }};
};

TEST_F(JsonDispatcherTest, AnswersACallByPathAndByShortName) {
    for (const std::string method : {"quire.auth.v1.Auth/CreateKey", "auth.CreateKey"}) {
        const Answer answer = call(method, R"({"name":"ci","scopes":["inference"]})");

        EXPECT_EQ(answer.status, 200) << answer.body;
        EXPECT_EQ(answer.content_type, "application/json");
        EXPECT_NE(answer.body.find("\"name\":\"ci org_only"), std::string::npos) << answer.body;
    }
}

TEST_F(JsonDispatcherTest, CallsAsTheOperatorWithDeadlineAndRetries) {
    const Answer answer = call("auth.CreateKey", "{}");

    EXPECT_NE(answer.body.find("operator=true retries=2 deadline=true"), std::string::npos)
        << answer.body;
    EXPECT_NE(answer.body.find("\"id\":\"req_"), std::string::npos) << answer.body;
}

TEST_F(JsonDispatcherTest, CallsForTheOrganizationThatIsNamed) {
    EXPECT_NE(call("auth.CreateKey", "{}", "org_2").body.find(" org_2 "), std::string::npos);
    expect_problem(call("auth.CreateKey", "{}", "org_unknown"), 404, "not_found", "org_unknown");
}

TEST_F(JsonDispatcherTest, WhatIsTheOperatorsAloneNeedsNoOrganization) {
    EXPECT_EQ(call("test.Stream", R"({"limit":1})", "several").status, 200);
    expect_problem(call("test.Stream", "{}", "org_unknown"), 404, "not_found", "org_unknown");
    expect_problem(call("auth.CreateKey", "{}", "several"), 400, "missing_required_parameter",
                   "name one");
}

TEST_F(JsonDispatcherTest, ShowsFieldsThatAreEmptyAndTakesNoBodyAsAnEmptyMessage) {
    const Answer answer = call("auth.ListKeys", "");

    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.body, "{\"keys\":[],\"has_more\":false}\n");
}

TEST_F(JsonDispatcherTest, AnswersTheMethodsErrorAsAProblem) {
    const Answer answer = call("auth.ListKeys", R"({"page":{"limit":5}})");

    expect_problem(answer, 400, "invalid_value", "five is right out");
    EXPECT_NE(answer.body.find("\"pointer\":\"/limit\""), std::string::npos) << answer.body;
}

TEST_F(JsonDispatcherTest, RefusesABodyThatIsNotTheMessage) {
    for (const std::string body : {"{", "[]", "5", "{\"no_such_field\":1}", "{\"name\":{}}",
                                   "{\"expires_at_us\":\"soon\"}", "\xFF"}) {
        expect_problem(call("auth.CreateKey", body), 400, "invalid_json",
                       "quire.auth.v1.CreateKeyRequest");
    }
}

TEST_F(JsonDispatcherTest, SuggestsTheMethodThatWasMeant) {
    expect_problem(call("auth.ListKey", "{}"), 404, "not_found",
                   "there is no method 'auth.ListKey' in this process; did you mean "
                   "'auth.ListKeys'?");
    expect_problem(call("quire.auth.v1.Auth/ListKey", "{}"), 404, "not_found", "did you mean");
    expect_problem(call("", "{}"), 404, "not_found", "did you mean");
}

TEST_F(JsonDispatcherTest, ServesPostBelowRpcOnly) {
    http::ClientRequest elsewhere;
    elsewhere.path = "/v1/models";
    http::ClientRequest get;
    get.method = "GET";
    get.path = "/rpc/auth.ListKeys";

    expect_problem(send(elsewhere), 404, "not_found", "/rpc/SERVICE/METHOD");
    expect_problem(send(get), 405, "method_not_allowed", "POST");
}

TEST_F(JsonDispatcherTest, AStreamIsALinePerMessage) {
    const Answer answer = call("test.Stream", R"({"limit":3})");

    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.content_type, "application/x-ndjson");
    EXPECT_EQ(std::count(answer.body.begin(), answer.body.end(), '\n'), 3) << answer.body;
    EXPECT_LT(answer.body.find("\"sequence\":\"1\""), answer.body.find("\"sequence\":\"3\""));
}

TEST_F(JsonDispatcherTest, AStreamThatFailsEndsWithItsError) {
    const Answer answer = call("test.Stream", R"({"limit":9})");

    EXPECT_EQ(answer.status, 200);
    const auto last = answer.body.find("{\"error\":{");
    ASSERT_NE(last, std::string::npos) << answer.body;
    EXPECT_GT(last, answer.body.find("\"sequence\":\"3\""));
    EXPECT_NE(answer.body.find("\"code\":\"storage_unavailable\"", last), std::string::npos);
}

TEST_F(JsonDispatcherTest, AStreamWithoutMessagesIsAnEmptyAnswer) {
    const Answer answer = call("test.Stream", "{}");

    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "");
}

TEST_F(JsonDispatcherTest, RefusesADialogue) {
    expect_problem(call("test.Talk", "{}"), 400, "unsupported_value", "test.Talk");
}

}  // namespace
}  // namespace quire::rpc
