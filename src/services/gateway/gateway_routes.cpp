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
};

bool matches(std::string_view pattern, std::string_view path, std::string_view& parameter) {
    const auto brace = pattern.find('{');
    if (brace == std::string_view::npos) return pattern == path;
    if (!path.starts_with(pattern.substr(0, brace))) return false;
    parameter = path.substr(brace);
    const bool takes_rest = pattern.find("…") != std::string_view::npos;
    return !parameter.empty() && (takes_rest || parameter.find('/') == std::string_view::npos);
}

}  // namespace

std::span<const Route> all_routes() { return kRoutes; }

RouteMatch find_route(std::string_view verb, std::string_view path) {
    RouteMatch match;
    for (const Route& route : kRoutes) {
        std::string_view parameter;
        if (!matches(route.path, path, parameter)) continue;
        if (route.verb == verb) return {&route, parameter, ""};
        if (!match.allowed.empty()) match.allowed += ", ";
        match.allowed += route.verb;
    }
    return match;
}

}  // namespace quire::gateway
