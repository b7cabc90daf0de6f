#pragma once

#include "services/gateway/gateway_api.hpp"

#include <span>
#include <string>
#include <string_view>

namespace quire::gateway {

/// One public route. `method` names the RPC whose access rule guards it.
struct Route {
    std::string_view verb;
    /// `{name}` stands for one segment, `{name…}` at the end for all the rest; up to two of them.
    std::string_view path;
    std::string_view method;
    bool takes_body;
    awaitable<Result<void>> (GatewayApi::*handler)(GatewayCall&);
};

/// Every public route: the index of the API.
std::span<const Route> all_routes();

/// What a request's path and verb lead to.
struct RouteMatch {
    const Route* route = nullptr;  ///< null: no such path, or not with this verb
    PathParameters parameters;
    std::string allowed;  ///< the verbs that the path has, when the verb is wrong
};
RouteMatch find_route(std::string_view verb, std::string_view path);

}  // namespace quire::gateway
