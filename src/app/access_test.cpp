// Who may call what: every method of every service in this process, and every public route.
#include "quire/analytics/v1/analytics_fake.hpp"
#include "quire/analytics/v1/analytics_rpc.hpp"
#include "quire/auth/v1/auth_fake.hpp"
#include "quire/auth/v1/auth_rpc.hpp"
#include "quire/credits/v1/credits_fake.hpp"
#include "quire/credits/v1/credits_rpc.hpp"
#include "quire/inference/v1/inference_fake.hpp"
#include "quire/inference/v1/inference_rpc.hpp"
#include "quire/prompts/v1/prompts_fake.hpp"
#include "quire/prompts/v1/prompts_rpc.hpp"
#include "quire/review/v1/review_fake.hpp"
#include "quire/review/v1/review_rpc.hpp"
#include "services/auth/auth_service.hpp"
#include "services/gateway/gateway_routes.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace quire::app {
namespace {

using rpc::Access;

class AccessTest : public testing::Test {
protected:
    AccessTest() {
        registry_.add(analytics::analytics_methods(analytics_));
        registry_.add(auth::auth_methods(auth_));
        registry_.add(credits::credits_methods(credits_));
        registry_.add(inference::inference_methods(inference_));
        registry_.add(prompts::prompts_methods(prompts_));
        registry_.add(review::review_methods(review_));
    }

    analytics::FakeAnalytics analytics_;
    auth::FakeAuth auth_;
    credits::FakeCredits credits_;
    inference::FakeInference inference_;
    prompts::FakePrompts prompts_;
    review::FakeReview review_;
    rpc::MethodRegistry registry_;
};

/// A change of this table is a change of who may do what.
const std::map<std::string, std::pair<Access, std::string>> kExpected{
    {"analytics.ListRequests", {Access::kScope, "requests:read"}},
    {"analytics.GetRequest", {Access::kScope, "requests:read"}},
    {"auth.Authenticate", {Access::kInternal, ""}},
    {"auth.CreateKey", {Access::kScope, "keys:write"}},
    {"auth.ListKeys", {Access::kScope, "keys:write"}},
    {"auth.RevokeKey", {Access::kScope, "keys:write"}},
    {"auth.CreateOrganization", {Access::kOperator, ""}},
    {"auth.ListOrganizations", {Access::kOperator, ""}},
    {"auth.ReadOutbox", {Access::kInternal, ""}},
    {"credits.Admit", {Access::kInternal, ""}},
    {"credits.Settle", {Access::kInternal, ""}},
    {"credits.VoidHold", {Access::kInternal, ""}},
    {"credits.ListOpenHolds", {Access::kInternal, ""}},
    {"credits.GetBalance", {Access::kScope, "credits:read"}},
    {"credits.ListEntries", {Access::kScope, "credits:read"}},
    {"credits.Grant", {Access::kOperator, ""}},
    {"credits.Verify", {Access::kOperator, ""}},
    {"credits.ReadOutbox", {Access::kInternal, ""}},
    {"inference.Generate", {Access::kInternal, ""}},
    {"inference.ListModels", {Access::kInternal, ""}},
    {"prompts.Chat", {Access::kScope, "inference"}},
    {"prompts.Generate", {Access::kScope, "inference"}},
    {"prompts.PublishVersion", {Access::kScope, "prompts:write"}},
    {"prompts.SetLabel", {Access::kScope, "prompts:write"}},
    {"prompts.ListPrompts", {Access::kScope, "prompts:read"}},
    {"prompts.GetPrompt", {Access::kScope, "prompts:read"}},
    {"prompts.ListModels", {Access::kScope, "inference"}},
    {"prompts.ReadOutbox", {Access::kInternal, ""}},
    {"review.ReviewInput", {Access::kInternal, ""}},
    {"review.ReviewOutput", {Access::kInternal, ""}},
};

TEST_F(AccessTest, EveryMethodHasTheAccessOfTheTable) {
    std::map<std::string, std::pair<Access, std::string>> actual;
    for (const rpc::Method& method : registry_.all()) {
        actual.emplace(method.short_name(), std::pair(method.access, std::string(method.scope)));
    }

    EXPECT_EQ(actual, kExpected);
}

TEST_F(AccessTest, EveryRouteNamesAMethodThatKeysMayCall) {
    for (const gateway::Route& route : gateway::all_routes()) {
        const rpc::Method* method = registry_.find(route.method);

        ASSERT_NE(method, nullptr) << route.method;
        EXPECT_EQ(method->access, Access::kScope) << route.path;
    }
}

TEST_F(AccessTest, EveryScopeOfAMethodIsOneThatAKeyCanHave) {
    std::set<std::string_view> known(auth::all_scopes().begin(), auth::all_scopes().end());
    for (const rpc::Method& method : registry_.all()) {
        if (method.access != Access::kScope) continue;

        EXPECT_TRUE(known.contains(method.scope)) << method.short_name();
    }
}

TEST_F(AccessTest, AKeyOfEveryScopeReachesNothingInternal) {
    rpc::Principal owner;
    owner.scopes.assign(auth::all_scopes().begin(), auth::all_scopes().end());
    for (const rpc::Method& method : registry_.all()) {
        const auto allowed = rpc::check_access(method, owner);

        EXPECT_EQ(allowed.has_value(), method.access == Access::kScope) << method.short_name();
    }
}

TEST_F(AccessTest, AKeyWithoutAScopeReachesNothing) {
    for (const rpc::Method& method : registry_.all()) {
        EXPECT_FALSE(rpc::check_access(method, rpc::Principal())) << method.short_name();
    }
}

TEST_F(AccessTest, WhatChangesSomethingIsNotMarkedAsSafeToRepeat) {
    for (const std::string_view name :
         {"auth.CreateKey", "auth.CreateOrganization", "inference.Generate", "prompts.Chat"}) {
        ASSERT_NE(registry_.find(name), nullptr) << name;
        EXPECT_FALSE(registry_.find(name)->is_idempotent) << name;
    }
}

}  // namespace
}  // namespace quire::app
