#pragma once

#include "base/rng.hpp"
#include "quire/analytics/v1/analytics_port.hpp"
#include "quire/auth/v1/auth_port.hpp"
#include "quire/credits/v1/credits_port.hpp"
#include "quire/prompts/v1/prompts_port.hpp"
#include "runtime/http/http_server.hpp"
#include "runtime/json.hpp"
#include "runtime/rpc/method.hpp"
#include "services/gateway/gateway_config.hpp"
#include "services/gateway/json_body.hpp"
#include "services/gateway/principal_cache.hpp"

#include <array>
#include <map>
#include <memory>
#include <string>

namespace quire::gateway {

/// What the braces of a route's path stood for, in their order and still encoded.
using PathParameters = std::array<std::string_view, 2>;

/// One request on its way through a handler.
struct GatewayCall final : rpc::Edge {
    GatewayCall(http::Exchange& from, rpc::CallContext context, SteadyTime at)
        : exchange(from), ctx(std::move(context)), began(at) {
        ctx.edge = this;
    }
    GatewayCall(const GatewayCall&) = delete;
    GatewayCall& operator=(const GatewayCall&) = delete;

    bool has_begun_answering() const override { return exchange.is_answered(); }
    bool is_stopping() const override {
        return exchange.cancel_reason() == http::CancelReason::kShutdown;
    }

    http::Exchange& exchange;
    rpc::CallContext ctx;
    const rpc::Method* method = nullptr;  ///< whose scope is needed
    PathParameters path_parameters;
    std::string_view raw_body;
    /// Neither text nor tree is needed any more.
    void release_body();
    JsonBody body;  ///< empty when the route takes none
    SteadyTime began;
    std::chrono::microseconds auth_took{0};
    bool is_authorized = false;
    int status = 200;          ///< of a good answer
    bool is_replayed = false;  ///< the answer of an earlier call is given again

    /// The scope check. A handler makes it after it has checked the fields (interfaces: order of
    /// checks) and before it calls anything.
    Result<void> authorize();
    /// The parameter at `index`, decoded; "" when its escapes are broken.
    std::string path_parameter(std::size_t index) const;
    /// Answers with JSON and the request's id.
    awaitable<Result<void>> respond_json(int http_status, std::string json_text);
    /// The step that was taken here, for the request's story.
    common::v1::Step auth_step() const;
    /// `x-request-id`, `openai-version` under `/v1`, and `server-timing` for the steps known so
    /// far.
    void add_headers(http::Response& response,
                     const google::protobuf::RepeatedPtrField<common::v1::Step>& steps) const;
};

/// Says that a stored answer is given again, and that it costs nothing.
void add_replay_headers(http::Response& response);

/// Every public operation, one method each, named after its operationId; files by what they serve.
class GatewayApi {
public:
    struct Ports {
        std::shared_ptr<auth::Auth> auth;
        std::shared_ptr<credits::Credits> credits;
        std::shared_ptr<prompts::Prompts> prompts;
        std::shared_ptr<analytics::Analytics> analytics;
    };
    GatewayApi(Ports ports, const GatewayConfig& config, const Clock& clock,
               PrincipalCache& principals)
        : ports_(std::move(ports)), config_(config), clock_(clock), principals_(principals) {}

    awaitable<Result<void>> create_chat_completion(GatewayCall& call);
    awaitable<Result<void>> list_models(GatewayCall& call);
    awaitable<Result<void>> get_model(GatewayCall& call);
    awaitable<Result<void>> create_key(GatewayCall& call);
    awaitable<Result<void>> list_keys(GatewayCall& call);
    awaitable<Result<void>> revoke_key(GatewayCall& call);
    awaitable<Result<void>> get_balance(GatewayCall& call);
    awaitable<Result<void>> list_entries(GatewayCall& call);
    awaitable<Result<void>> generate(GatewayCall& call);
    awaitable<Result<void>> list_prompts(GatewayCall& call);
    awaitable<Result<void>> get_prompt(GatewayCall& call);
    awaitable<Result<void>> publish_version(GatewayCall& call);
    awaitable<Result<void>> set_label(GatewayCall& call);
    awaitable<Result<void>> list_requests(GatewayCall& call);
    awaitable<Result<void>> get_request(GatewayCall& call);

private:
    Ports ports_;
    GatewayConfig config_;
    const Clock& clock_;
    PrincipalCache& principals_;
};

}  // namespace quire::gateway
