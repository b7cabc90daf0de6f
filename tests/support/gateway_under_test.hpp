#pragma once

#include "quire/analytics/v1/analytics_fake.hpp"
#include "quire/auth/v1/auth_fake.hpp"
#include "quire/credits/v1/credits_fake.hpp"
#include "quire/prompts/v1/prompts_fake.hpp"
#include "runtime/http/http_client.hpp"
#include "runtime/http/http_server.hpp"
#include "services/gateway/gateway_http.hpp"
#include "tests/support/run_coroutine.hpp"

#include <map>
#include <optional>
#include <string>

namespace quire::test {

struct HttpAnswer {
    int status = 0;
    http::Headers headers;
    std::string body;
    bool is_cut = false;  ///< the body broke off

    json::value parsed_body() const;
    /// The text at a JSON pointer, or what else is there as JSON.
    std::string at(std::string_view pointer) const;
    /// `error.code` of OpenAI's dialect, `code` of a problem; "" for neither.
    std::string code() const;
};

/// The gateway behind a real server, with auth and prompts as fakes. Auth knows the keys of
/// `keys` by what they answer; prompts do what the test sets. One loop, so that nothing races.
class GatewayUnderTest {
public:
    explicit GatewayUnderTest(gateway::GatewayConfig with = {});
    ~GatewayUnderTest();
    GatewayUnderTest(const GatewayUnderTest&) = delete;
    GatewayUnderTest& operator=(const GatewayUnderTest&) = delete;

    static http::ClientRequest request(std::string method, std::string path, std::string body = "",
                                       const std::string& key = "good");

    HttpAnswer send(const http::ClientRequest& request);
    HttpAnswer send(std::string method, std::string path, std::string body = "",
                    const std::string& key = "good");

    /// An answer whose headers are there; `finish` or `leave` it.
    std::unique_ptr<http::ClientResponse> begin(const http::ClientRequest& request);
    HttpAnswer finish(std::unique_ptr<http::ClientResponse> response);
    void leave(std::unique_ptr<http::ClientResponse> response);

    asio::io_context& loop() { return loops.loop(0); }
    awaitable<Result<HttpAnswer>> fetch(http::ClientRequest request);

    gateway::GatewayConfig config;
    runtime::EventLoops loops{1};
    std::shared_ptr<auth::FakeAuth> auth = std::make_shared<auth::FakeAuth>();
    std::shared_ptr<credits::FakeCredits> credits = std::make_shared<credits::FakeCredits>();
    std::shared_ptr<prompts::FakePrompts> prompts = std::make_shared<prompts::FakePrompts>();
    std::shared_ptr<analytics::FakeAnalytics> analytics =
        std::make_shared<analytics::FakeAnalytics>();
    std::map<std::string, Result<auth::v1::AuthenticateResponse>> keys;
    std::optional<gateway::GatewayHttp> http;
    std::optional<http::Server> server;

    static auth::v1::AuthenticateResponse principal(const std::vector<std::string>& scopes);

private:
    awaitable<Result<auth::v1::AuthenticateResponse>> authenticate(
        const auth::v1::AuthenticateRequest& request);

    SystemClock clock_;
    SeededRng rng_{1};
    gateway::PrincipalCache principals_{auth, clock_, config.key_cache};
    gateway::GatewayApi api_{{auth, credits, prompts, analytics}, config, clock_, principals_};
    rpc::MethodRegistry methods_;
    http::Client client_{loops};
    http::Target target_;
};

}  // namespace quire::test
