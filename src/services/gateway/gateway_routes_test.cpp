#include "services/gateway/gateway_routes.hpp"

#include <gtest/gtest.h>

#include <set>

namespace quire::gateway {
namespace {

struct Lookup {
    std::string_view verb;
    std::string_view path;
    std::string_view found;  ///< the route's path, "" for none
    std::string_view parameter;
    std::string_view allowed;
};

TEST(FindRoute, FindsByVerbAndPath) {
    for (const Lookup& each : std::vector<Lookup>{
             {"POST", "/v1/chat/completions", "/v1/chat/completions", "", ""},
             {"GET", "/v1/models", "/v1/models", "", ""},
             {"GET", "/v1/models/tiny", "/v1/models/{model…}", "tiny", ""},
             {"GET", "/v1/models/vendor/tiny", "/v1/models/{model…}", "vendor/tiny", ""},
             {"GET", "/v1/models/a%2Fb", "/v1/models/{model…}", "a%2Fb", ""},
             {"GET", "/v1/models/tiny/", "/v1/models/{model…}", "tiny/", ""},
             {"POST", "/api/v1/keys", "/api/v1/keys", "", ""},
             {"GET", "/api/v1/keys", "/api/v1/keys", "", ""},
             {"DELETE", "/api/v1/keys/key_1", "/api/v1/keys/{id}", "key_1", ""},
             {"GET", "/api/v1/prompts/a.b", "/api/v1/prompts/{name}", "a.b", ""},
             {"POST", "/api/v1/prompts/a/versions", "/api/v1/prompts/{name}/versions", "a", ""},
             {"PUT", "/api/v1/prompts/a/labels/b", "/api/v1/prompts/{name}/labels/{label}", "a",
              ""},
         }) {
        const RouteMatch match = find_route(each.verb, each.path);

        ASSERT_NE(match.route, nullptr) << each.path;
        EXPECT_EQ(match.route->path, each.found);
        EXPECT_EQ(match.route->verb, each.verb);
        EXPECT_EQ(match.parameters[0], each.parameter);
        EXPECT_EQ(match.allowed, "");
    }
}

TEST(FindRoute, GivesBothParametersOfAPathThatHasTwo) {
    const RouteMatch match = find_route("PUT", "/api/v1/prompts/blog%20post/labels/production");

    EXPECT_EQ(match.parameters[0], "blog%20post");
    EXPECT_EQ(match.parameters[1], "production");
}

TEST(FindRoute, NamesTheVerbsOfAPathThatHasOthers) {
    for (const Lookup& each : std::vector<Lookup>{
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
    for (const std::string_view path : {"",
                                        "/",
                                        "/v1",
                                        "/v1/",
                                        "/v1/chat",
                                        "/v1/chat/completions/",
                                        "/v1/chat/completionsx",
                                        "//v1/models",
                                        "/V1/models",
                                        "/v1/models/",
                                        "/v1/modelsx",
                                        "/api/v1/keys/",
                                        "/api/v1/keys/a/b",
                                        "/api/v1/prompts/",
                                        "/api/v1/prompts//versions",
                                        "/api/v1/prompts/a/versions/",
                                        "/api/v1/prompts/a/labels",
                                        "/api/v1/prompts/a/labels/",
                                        "/api/v1/prompts//labels/b",
                                        "/api/v1/prompts/a/labels/b/c",
                                        "/api/v1/prompts/a/b",
                                        "/v1/../v1/models",
                                        "/v1/models?x",
                                        "/api/v1/keys/{id}/x",
                                        "*"}) {
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

TEST(AllRoutes, HaveAHandlerAndTakeABodyOnlyByPostAndPut) {
    for (const Route& route : all_routes()) {
        EXPECT_NE(route.handler, nullptr) << route.path;
        EXPECT_EQ(route.takes_body, route.verb == "POST" || route.verb == "PUT") << route.path;
    }
}

TEST(AllRoutes, AreFoundByTheirOwnPattern) {
    for (const Route& route : all_routes()) {
        std::string path(route.path);
        for (auto at = path.find('{'); at != std::string::npos; at = path.find('{')) {
            path.replace(at, path.find('}', at) + 1 - at, "x");
        }

        EXPECT_EQ(find_route(route.verb, path).route, &route) << route.path;
    }
}

}  // namespace
}  // namespace quire::gateway
