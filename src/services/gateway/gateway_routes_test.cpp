#include "services/gateway/gateway_routes.hpp"

#include <gtest/gtest.h>

#include <set>

namespace quire::gateway {
namespace {

struct Case {
    std::string_view verb;
    std::string_view path;
    std::string_view found;  ///< the route's path, "" for none
    std::string_view parameter;
    std::string_view allowed;
};

TEST(FindRoute, FindsByVerbAndPath) {
    for (const Case& each : std::vector<Case>{
             {"POST", "/v1/chat/completions", "/v1/chat/completions", "", ""},
             {"GET", "/v1/models", "/v1/models", "", ""},
             {"GET", "/v1/models/tiny", "/v1/models/{model…}", "tiny", ""},
             {"GET", "/v1/models/vendor/tiny", "/v1/models/{model…}", "vendor/tiny", ""},
             {"GET", "/v1/models/a%2Fb", "/v1/models/{model…}", "a%2Fb", ""},
             {"GET", "/v1/models/tiny/", "/v1/models/{model…}", "tiny/", ""},
             {"POST", "/api/v1/keys", "/api/v1/keys", "", ""},
             {"GET", "/api/v1/keys", "/api/v1/keys", "", ""},
             {"DELETE", "/api/v1/keys/key_1", "/api/v1/keys/{id}", "key_1", ""},
         }) {
        const RouteMatch match = find_route(each.verb, each.path);

        ASSERT_NE(match.route, nullptr) << each.path;
        EXPECT_EQ(match.route->path, each.found);
        EXPECT_EQ(match.route->verb, each.verb);
        EXPECT_EQ(match.parameter, each.parameter);
        EXPECT_EQ(match.allowed, "");
    }
}

TEST(FindRoute, NamesTheVerbsOfAPathThatHasOthers) {
    for (const Case& each : std::vector<Case>{
             {"GET", "/v1/chat/completions", "", "", "POST"},
             {"HEAD", "/v1/models", "", "", "GET"},
             {"POST", "/v1/models/tiny", "", "", "GET"},
             {"DELETE", "/api/v1/keys", "", "", "POST, GET"},
             {"GET", "/api/v1/keys/key_1", "", "", "DELETE"},
             {"get", "/v1/models", "", "", "GET"},
         }) {
        const RouteMatch match = find_route(each.verb, each.path);

        EXPECT_EQ(match.route, nullptr) << each.path;
        EXPECT_EQ(match.allowed, each.allowed) << each.path;
    }
}

TEST(FindRoute, FindsNothingElse) {
    for (const std::string_view path :
         {"", "/", "/v1", "/v1/", "/v1/chat", "/v1/chat/completions/", "/v1/chat/completionsx",
          "//v1/models", "/V1/models", "/v1/models/", "/v1/modelsx", "/api/v1/keys/",
          "/api/v1/keys/a/b", "/v1/../v1/models", "/v1/models?x", "/api/v1/keys/{id}/x", "*"}) {
        for (const std::string_view verb : {"GET", "POST", "DELETE"}) {
            const RouteMatch match = find_route(verb, path);

            EXPECT_EQ(match.route, nullptr) << path;
            EXPECT_EQ(match.allowed, "") << path;
        }
    }
}

TEST(AllRoutes, HaveEachVerbAndPathOnce) {
    std::set<std::string> seen;
    for (const Route& route : all_routes()) {
        EXPECT_TRUE(seen.insert(std::string(route.verb) + " " + std::string(route.path)).second)
            << route.path;
    }
}

TEST(AllRoutes, HaveAHandlerAndTakeABodyOnlyByPost) {
    for (const Route& route : all_routes()) {
        EXPECT_NE(route.handler, nullptr) << route.path;
        EXPECT_EQ(route.takes_body, route.verb == "POST") << route.path;
    }
}

TEST(AllRoutes, AreFoundByTheirOwnPattern) {
    for (const Route& route : all_routes()) {
        std::string path(route.path.substr(0, route.path.find('{')));
        if (path.size() < route.path.size()) path += "x";

        EXPECT_EQ(find_route(route.verb, path).route, &route) << route.path;
    }
}

}  // namespace
}  // namespace quire::gateway
