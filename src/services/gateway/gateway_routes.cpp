#include "services/gateway/gateway_routes.hpp"

#include <array>

namespace quire::gateway {
namespace {

constexpr std::array kRoutes{
    Route{"POST", "/v1/chat/completions", "prompts.Chat", true,
          &GatewayApi::create_chat_completion},
    Route{"GET", "/v1/models", "prompts.ListModels", false, &GatewayApi::list_models},
    Route{"GET", "/v1/models/{model…}", "prompts.ListModels", false, &GatewayApi::get_model},
    Route{"GET", "/api/v1/credits/balance", "credits.GetBalance", false, &GatewayApi::get_balance},
    Route{"GET", "/api/v1/credits/entries", "credits.ListEntries", false,
          &GatewayApi::list_entries},
    Route{"GET", "/api/v1/requests", "analytics.ListRequests", false, &GatewayApi::list_requests},
    Route{"GET", "/api/v1/requests/{id}", "analytics.GetRequest", false, &GatewayApi::get_request},
    Route{"POST", "/api/v1/keys", "auth.CreateKey", true, &GatewayApi::create_key},
    Route{"GET", "/api/v1/keys", "auth.ListKeys", false, &GatewayApi::list_keys},
    Route{"DELETE", "/api/v1/keys/{id}", "auth.RevokeKey", false, &GatewayApi::revoke_key},
    Route{"POST", "/api/v1/generate", "prompts.Generate", true, &GatewayApi::generate},
    Route{"GET", "/api/v1/prompts", "prompts.ListPrompts", false, &GatewayApi::list_prompts},
    Route{"GET", "/api/v1/prompts/{name}", "prompts.GetPrompt", false, &GatewayApi::get_prompt},
    Route{"POST", "/api/v1/prompts/{name}/versions", "prompts.PublishVersion", true,
          &GatewayApi::publish_version},
    Route{"PUT", "/api/v1/prompts/{name}/labels/{label}", "prompts.SetLabel", true,
          &GatewayApi::set_label},
};

bool matches(std::string_view pattern, std::string_view path, PathParameters& parameters) {
    for (std::string_view& parameter : parameters) {
        const auto brace = pattern.find('{');
        if (brace == std::string_view::npos) break;
        if (!path.starts_with(pattern.substr(0, brace))) return false;
        path.remove_prefix(brace);
        const auto close = pattern.find('}', brace);
        const bool takes_rest = pattern.substr(0, close).ends_with("…");
        parameter = takes_rest ? path : path.substr(0, path.find('/'));
        if (parameter.empty()) return false;
        path.remove_prefix(parameter.size());
        pattern.remove_prefix(close + 1);
    }
    return pattern == path;
}

}  // namespace

std::span<const Route> all_routes() { return kRoutes; }

RouteMatch find_route(std::string_view verb, std::string_view path) {
    RouteMatch match;
    for (const Route& route : kRoutes) {
        PathParameters parameters;
        if (!matches(route.path, path, parameters)) continue;
        if (route.verb == verb) return {&route, parameters, ""};
        if (!match.allowed.empty()) match.allowed += ", ";
        match.allowed += route.verb;
    }
    return match;
}

}  // namespace quire::gateway
