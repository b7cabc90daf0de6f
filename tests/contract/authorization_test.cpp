// Every method of every service, asked over gRPC's wire by each kind of caller, and held against
// tests/authorization/matrix.yaml.
#include "tests/contract/authorization_callers.hpp"

#include <algorithm>

namespace quire::test {
namespace {

using rpc::Access;

const std::vector<std::string> kCallers{"anonymous", "revoked", "expired",  "no_scope",
                                        "other_org", "owner",   "operator", "operator_tcp"};
const Names kUnknown{{"request", "req_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
                     {"key", "key_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
                     {"prompt", "nothing"}};

std::vector<std::string> row_names() {
    std::vector<std::string> names;
    for (const auto& row : matrix_methods().map) names.push_back(row.name);
    return names;
}

class AuthorizationTest : public testing::TestWithParam<std::string> {
protected:
    static void SetUpTestSuite() { orgs_ = std::make_unique<Organizations>(); }
    static void TearDownTestSuite() { orgs_.reset(); }

    const rpc::Method& method() const { return orgs_->method(GetParam()); }
    Heard ask_as(const std::string& caller) {
        return orgs_->ask_as(caller, method(), orgs_->names);
    }

    /// What is wrong with what `caller` hears; "" when nothing is.
    std::string fault_of(const std::string& caller) {
        const std::string cell = matrix_cell(GetParam(), caller);
        const Heard heard = ask_as(caller);
        if (!cell.ends_with(" own") && !cell.ends_with(" shared")) {
            return judge(cell, heard, {}, "");
        }
        // What may not be repeated would say nothing, as every answer of it is another.
        const std::string operators = method().is_idempotent ? ask_as("operator").text : "";
        return judge(cell, heard, orgs_->foreign(), operators);
    }

    inline static std::unique_ptr<Organizations> orgs_;
};

TEST_P(AuthorizationTest, EachCallerHearsWhatTheMatrixSays) {
    orgs_->make_keys(method());
    for (const std::string& caller : kCallers) {
        const bool may_change =
            caller == "owner" || caller == "operator" || method().access == Access::kInternal;
        const json::value before = may_change ? json::value() : orgs_->state();

        EXPECT_EQ(fault_of(caller), "") << caller;

        EXPECT_TRUE(may_change || orgs_->state() == before)
            << caller << " changed the first organization";
    }
}

TEST_P(AuthorizationTest, ForeignObjectsAnswerLikeUnknownOnes) {
    if (!matrix_cell(GetParam(), "other_org").ends_with("not_found")) {
        GTEST_SKIP() << "it names no object";
    }

    Heard foreign = ask_as("other_org");
    Heard unknown = orgs_->ask_as("other_org", method(), kUnknown);

    for (const auto& [name, id] : kUnknown) {
        const auto mask = [&name = name](std::string& text, const std::string& sent) {
            const auto at = text.find(sent);
            if (at != std::string::npos) text.replace(at, sent.size(), name);
        };
        mask(foreign.text, orgs_->names.at(name));
        mask(unknown.text, id);
    }
    EXPECT_EQ(foreign.word, unknown.word);
    EXPECT_EQ(foreign.text, unknown.text);
}

INSTANTIATE_TEST_SUITE_P(Matrix, AuthorizationTest, testing::ValuesIn(row_names()),
                         [](const auto& instance) {
                             std::string name = instance.param;
                             name.erase(name.find('.'), 1);
                             return name;
                         });

TEST(AuthorizationMatrix, HasARowForEachMethodOfEachService) {
    AllServices services;
    std::vector<std::string> methods;
    for (const rpc::Method& method : services.methods().all()) {
        methods.push_back(method.short_name());
    }
    std::vector<std::string> rows = row_names();
    std::sort(methods.begin(), methods.end());
    std::sort(rows.begin(), rows.end());

    EXPECT_EQ(rows, methods);
}

// The check finds what it is for ------------------------------------------------------------------

TEST(AuthorizationMatrix, SaysWhatIsWrongWithAnAnswer) {
    const Heard page{"ok", R"({"keys":["key_1"]})"};

    EXPECT_EQ(judge("ok", page, {}, ""), "");
    EXPECT_EQ(judge("ok own", page, {"key_2"}, "{}"), "");
    EXPECT_EQ(judge("ok shared", page, {}, page.text), "");
    EXPECT_NE(judge("permission_denied", page, {}, ""), "");
    EXPECT_NE(judge("ok", {"not_found", ""}, {}, ""), "");
    EXPECT_NE(judge("ok own", page, {"key_1"}, "{}"), "");
    EXPECT_NE(judge("ok own", page, {}, page.text), "");
    EXPECT_NE(judge("ok shared", page, {}, "{}"), "");
}

TEST(AuthorizationMatrix, FindsEveryMethodThatIsOpenToAnybody) {
    std::vector<std::string> guarded;
    Organizations open([&guarded](rpc::Method& method) {
        // CreateKey refuses by itself: a key gives only scopes that it has.
        if (method.access == Access::kInternal || method.name == "CreateKey") return;
        guarded.push_back(method.short_name());
        method.access = Access::kPublic;
    });
    ASSERT_FALSE(guarded.empty());

    for (const std::string& name : guarded) {
        const Heard heard = open.ask_as("no_scope", open.method(name), open.names);
        EXPECT_NE(judge(matrix_cell(name, "no_scope"), heard, {}, ""), "") << name;
    }
}

TEST(AuthorizationMatrix, FindsACallerWhoIsTakenForAnother) {
    Organizations mixed;
    const rpc::Method& list = mixed.method("auth.ListKeys");

    const Heard owners = mixed.ask_as("owner", list, mixed.names);

    EXPECT_NE(judge(matrix_cell("auth.ListKeys", "other_org"), owners, mixed.foreign(), ""), "");
}

}  // namespace
}  // namespace quire::test
