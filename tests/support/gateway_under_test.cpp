#include "tests/support/gateway_under_test.hpp"

#include "quire/analytics/v1/analytics_rpc.hpp"
#include "quire/auth/v1/auth_rpc.hpp"
#include "quire/credits/v1/credits_rpc.hpp"
#include "quire/prompts/v1/prompts_rpc.hpp"

namespace quire::test {
namespace {

awaitable<HttpAnswer> read(std::unique_ptr<http::ClientResponse> response) {
    HttpAnswer answer;
    answer.status = response->status();
    answer.headers = response->headers();
    while (true) {
        const auto bytes = co_await response->read_some();
        answer.is_cut = !bytes;
        if (!bytes || bytes->empty()) break;
        answer.body += *bytes;
    }
    co_return answer;
}

}  // namespace

json::value HttpAnswer::parsed_body() const {
    auto parsed = runtime::parse_json(body);
    EXPECT_TRUE(parsed) << body;
    return parsed ? *std::move(parsed) : json::value();
}

std::string HttpAnswer::at(std::string_view pointer) const {
    const json::value found = parsed_body().at_pointer(pointer);
    if (found.is_string()) return std::string(found.get_string());
    return json::serialize(found);
}

std::string HttpAnswer::code() const {
    const json::value value = parsed_body();
    if (!value.is_object()) return "";
    const json::object* from = &value.get_object();
    if (const json::value* inner = from->if_contains("error")) from = &inner->as_object();
    return std::string(runtime::text_member(*from, "code"));
}

GatewayUnderTest::GatewayUnderTest(gateway::GatewayConfig with) : config(std::move(with)) {
    keys.emplace("good", principal({"inference", "keys:write"}));
    keys.emplace("bare", principal({}));
    auth->on_authenticate = [this](const rpc::CallContext&,
                                   const auth::v1::AuthenticateRequest& request) {
        return authenticate(request);
    };
    methods_.add(auth::auth_methods(*auth));
    methods_.add(credits::credits_methods(*credits));
    methods_.add(prompts::prompts_methods(*prompts));
    methods_.add(analytics::analytics_methods(*analytics));
    http.emplace(gateway::GatewayHttp::Deps{api_, principals_, methods_, clock_, rng_}, config);
    server.emplace(
        loops, "gateway", config.http,
        [this](http::Exchange& exchange) { return http->handle(exchange); },
        [this](const Error& error, std::string_view target) {
            return http->malformed(error, target);
        });
    const auto listening = server->listen({{"127.0.0.1", 0}, ""});
    EXPECT_TRUE(listening);
    target_.url = {false, "127.0.0.1", server->port(), ""};
}

GatewayUnderTest::~GatewayUnderTest() { server->stop(); }

http::ClientRequest GatewayUnderTest::request(std::string method, std::string path,
                                              std::string body, const std::string& key) {
    http::ClientRequest request;
    request.method = std::move(method);
    request.path = std::move(path);
    if (!key.empty()) request.headers.emplace_back("authorization", "Bearer " + key);
    if (!body.empty()) request.headers.emplace_back("content-type", "application/json");
    request.body = std::move(body);
    return request;
}

HttpAnswer GatewayUnderTest::send(const http::ClientRequest& request) {
    auto answer = run_on(loop(), fetch(request));
    EXPECT_TRUE(answer);
    return answer ? *std::move(answer) : HttpAnswer();
}

HttpAnswer GatewayUnderTest::send(std::string method, std::string path, std::string body,
                                  const std::string& key) {
    return send(request(std::move(method), std::move(path), std::move(body), key));
}

std::unique_ptr<http::ClientResponse> GatewayUnderTest::begin(const http::ClientRequest& request) {
    auto response = run_on(loop(), client_.send(target_, request));
    EXPECT_TRUE(response);
    return response ? *std::move(response) : nullptr;
}

HttpAnswer GatewayUnderTest::finish(std::unique_ptr<http::ClientResponse> response) {
    return run_on(loop(), read(std::move(response)));
}

void GatewayUnderTest::leave(std::unique_ptr<http::ClientResponse> response) {
    auto destroy = [&response]() -> awaitable<bool> {
        response.reset();
        co_return true;
    };
    run_on(loop(), destroy());
}

awaitable<Result<HttpAnswer>> GatewayUnderTest::fetch(http::ClientRequest request) {
    QUIRE_CO_TRY(auto response, client_.send(target_, request));
    co_return co_await read(std::move(response));
}

auth::v1::AuthenticateResponse GatewayUnderTest::principal(const std::vector<std::string>& scopes) {
    auth::v1::AuthenticateResponse response;
    response.mutable_principal()->set_org_id("org_1");
    response.mutable_principal()->set_project_id("prj_1");
    response.mutable_principal()->set_key_id("key_1");
    for (const std::string& scope : scopes) response.mutable_principal()->add_scopes(scope);
    return response;
}

awaitable<Result<auth::v1::AuthenticateResponse>> GatewayUnderTest::authenticate(
    const auth::v1::AuthenticateRequest& request) {
    const auto known = keys.find(request.key());
    if (known != keys.end() && known->second) co_return *known->second;
    if (known != keys.end()) co_return known->second.error();
    co_return Error(ErrorCode::kInvalidApiKey, "no such key");
}

}  // namespace quire::test
