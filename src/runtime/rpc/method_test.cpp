#include "runtime/rpc/method.hpp"

#include <gtest/gtest.h>

namespace quire::rpc {
namespace {

Method method_of(std::string_view name, Access access = Access::kPublic,
                 std::string_view scope = "") {
    Method method;
    method.service = "quire.auth.v1.Auth";
    method.name = name;
    method.access = access;
    method.scope = scope;
    return method;
}

MethodRegistry registry() {
    MethodRegistry methods;
    methods.add({method_of("CreateKey"), method_of("ListKeys")});
    methods.add({method_of("RevokeKey")});
    return methods;
}

TEST(Method, HasAPathAndAShortName) {
    EXPECT_EQ(method_of("CreateKey").path(), "/quire.auth.v1.Auth/CreateKey");
    EXPECT_EQ(method_of("CreateKey").short_name(), "auth.CreateKey");
}

TEST(MethodRegistry, FindsByPathAndByShortName) {
    const MethodRegistry methods = registry();
    for (const std::string_view name : {"/quire.auth.v1.Auth/ListKeys", "auth.ListKeys"}) {
        const Method* found = methods.find(name);

        ASSERT_NE(found, nullptr) << name;
        EXPECT_EQ(found->name, "ListKeys");
    }
    EXPECT_EQ(methods.all().size(), 3u);
}

TEST(MethodRegistry, FindsNothingElse) {
    const MethodRegistry methods = registry();
    for (const std::string_view name : {"", "/", "ListKeys", "auth.listkeys", "auth.ListKeys ",
                                        "quire.auth.v1.Auth/ListKeys", "credits.ListKeys"}) {
        EXPECT_EQ(methods.find(name), nullptr) << name;
    }
}

TEST(MethodRegistry, KnowsTheNameThatWasMeant) {
    EXPECT_EQ(registry().closest("auth.ListKey"), "auth.ListKeys");
    EXPECT_EQ(registry().closest("auth.DeleteKey"), "auth.CreateKey");
    EXPECT_EQ(MethodRegistry().closest("auth.ListKeys"), "");
}

TEST(CheckAccess, LetsInWhoMayCallFromOutside) {
    Principal nobody;
    Principal reader;
    reader.scopes = {"prompts:read", "inference"};
    Principal writer;
    writer.scopes = {"keys:write"};
    Principal operator_;
    operator_.is_operator = true;
    struct Row {
        Access access;
        bool nobody, reader, writer, is_operator;
    };
    for (const Row& row : {
             Row{Access::kPublic, true, true, true, true},
             Row{Access::kScope, false, false, true, true},
             Row{Access::kInternal, false, false, false, true},
             Row{Access::kOperator, false, false, false, true},
         }) {
        const Method method = method_of("CreateKey", row.access, "keys:write");
        const auto may_call = [&](const Principal& principal) {
            return check_access(method, principal).has_value();
        };

        EXPECT_EQ(may_call(nobody), row.nobody) << static_cast<int>(row.access);
        EXPECT_EQ(may_call(reader), row.reader) << static_cast<int>(row.access);
        EXPECT_EQ(may_call(writer), row.writer) << static_cast<int>(row.access);
        EXPECT_EQ(may_call(operator_), row.is_operator) << static_cast<int>(row.access);
    }
}

TEST(CheckAccess, NamesTheScopeThatIsMissing) {
    const auto allowed =
        check_access(method_of("CreateKey", Access::kScope, "keys:write"), Principal());

    ASSERT_FALSE(allowed);
    EXPECT_EQ(allowed.error().code(), ErrorCode::kPermissionDenied);
    EXPECT_EQ(allowed.error().detail("scope"), "keys:write");
}

TEST(RetryBudget, IsUsedUp) {
    RetryBudget budget(2);

    EXPECT_TRUE(budget.take());
    EXPECT_TRUE(budget.take());
    EXPECT_FALSE(budget.take());
    EXPECT_EQ(budget.left(), 0);
}

}  // namespace
}  // namespace quire::rpc
