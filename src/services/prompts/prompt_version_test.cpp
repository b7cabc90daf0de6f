#include "services/prompts/prompt_version.hpp"

#include <gtest/gtest.h>

namespace quire::prompts {
namespace {

using Words = std::vector<std::string>;

v1::PublishVersionRequest request_with(const std::string& content) {
    v1::PublishVersionRequest request;
    request.set_name("post");
    request.add_messages()->set_role("user");
    request.mutable_messages(0)->set_content(content);
    return request;
}

/// The code and the field of the refusal, "" for none.
std::string refusal(const v1::PublishVersionRequest& request) {
    const auto version = version_of(request);
    if (version) return "";
    return std::string(version.error().name()) + " " + std::string(version.error().detail("param"));
}

json::object variables_of(std::string_view text) { return runtime::parse_json(text)->get_object(); }

TEST(VersionOf, GathersTheVariablesOfAllMessages) {
    auto request = request_with("{{ topic }} {{ language }}");
    request.add_messages()->set_role("assistant");
    request.mutable_messages(1)->set_content("{{ topic }} {{ age }}");

    const auto version = version_of(request);

    ASSERT_TRUE(version);
    EXPECT_EQ(version->variables, (Words{"age", "language", "topic"}));
}

TEST(VersionOf, SortsLabelsAndDropsDoubleOnes) {
    auto request = request_with("x");
    for (const char* label : {"b", "a", "b"}) request.add_labels(label);

    EXPECT_EQ(version_of(request)->labels, (Words{"a", "b"}));
}

TEST(VersionOf, NamesTheFieldAtFault) {
    auto role = request_with("x");
    role.mutable_messages(0)->set_role("tool");
    auto empty = request_with("x");
    empty.clear_messages();
    auto many = request_with("x");
    for (int i = 0; i < 64; ++i) *many.add_messages() = many.messages(0);
    auto label = request_with("x");
    label.add_labels("Loud");
    auto labels = request_with("x");
    for (int i = 0; i < 21; ++i) labels.add_labels("l" + std::to_string(i));

    EXPECT_EQ(refusal(request_with("{{ open")), "template_error /messages/0/content");
    EXPECT_EQ(refusal(request_with(std::string(300'000, 'x'))), "invalid_value /messages");
    EXPECT_EQ(refusal(role), "invalid_value /messages/0/role");
    EXPECT_EQ(refusal(empty), "invalid_value /messages");
    EXPECT_EQ(refusal(many), "invalid_value /messages");
    EXPECT_EQ(refusal(label), "invalid_value labels");
    EXPECT_EQ(refusal(labels), "invalid_value /labels");
}

TEST(VersionOf, ChecksParametersAsThoseOfAChat) {
    struct Case {
        std::string parameters;
        std::string refusal;
    };
    for (const Case& each : std::vector<Case>{
             {"", ""},
             {"{}", ""},
             {R"({"temperature":0,"top_p":1,"presence_penalty":-2,"frequency_penalty":2})", ""},
             {R"({"stop":"x","seed":5,"response_format":{"type":"json_object"}})", ""},
             {R"({"temperature":2.5})", "invalid_value /parameters/temperature"},
             {R"({"max_output_tokens":0})", "invalid_value /parameters/max_output_tokens"},
             {R"({"stop":[1]})", "invalid_value /parameters/stop"},
             {R"({"model":"m"})", "unsupported_parameter /parameters/model"},
             {R"({"messages":[]})", "unsupported_parameter /parameters/messages"},
             {"[]", "invalid_value /parameters"},
             {"{", "invalid_json "},
         }) {
        auto request = request_with("x");
        request.set_parameters_json(each.parameters);

        EXPECT_EQ(refusal(request), each.refusal) << each.parameters;
    }
}

TEST(Render, MakesTheChatRequestOfTheVersion) {
    auto request = request_with("About {{ topic }}.");
    request.set_model("writer");
    request.set_parameters_json(R"({"temperature":0.25,"max_output_tokens":7,"stop":["END"]})");
    const auto version = version_of(request);
    ASSERT_TRUE(version);

    const auto chat = render(*version, variables_of(R"({"topic":"{{ bees }}"})"));

    ASSERT_TRUE(chat);
    EXPECT_EQ(chat->model(), "writer");
    EXPECT_EQ(chat->messages(0).role(), "user");
    EXPECT_EQ(chat->messages(0).parts(0).text(), "About {{ bees }}.");
    EXPECT_EQ(chat->temperature(), 0.25);
    EXPECT_EQ(chat->max_tokens(), 7);
    EXPECT_EQ(chat->stop(0), "END");
    EXPECT_EQ(chat->extra_json(), "");
}

TEST(Render, NamesTheVariableThatIsMissing) {
    const auto version = version_of(request_with("About {{ topic }}."));
    ASSERT_TRUE(version);

    const auto chat = render(*version, {});

    ASSERT_FALSE(chat);
    EXPECT_EQ(chat.error().code(), ErrorCode::kMissingVariable);
    EXPECT_EQ(chat.error().detail("param"), "/variables/topic");
}

TEST(Render, DoesNotQuoteAllOfALongName) {
    const std::string name(200'000, 'n');
    const auto version = version_of(request_with("{{ " + name + " }}"));
    ASSERT_TRUE(version);
    json::object variables;
    variables[name] = UINT64_MAX;  // no integer of templates

    const auto chat = render(*version, variables);

    ASSERT_FALSE(chat);
    EXPECT_LT(chat.error().message().size(), 1000U);
    EXPECT_LE(chat.error().detail("param").size(), 100U);
}

TEST(Render, BoundsTheStepsOfAllMessages) {
    auto request = request_with("{% for i in range(9000) %}{% set x = i %}{% endfor %}");
    const auto one = version_of(request);
    for (int i = 0; i < 8; ++i) *request.add_messages() = request.messages(0);
    const auto nine = version_of(request);
    ASSERT_TRUE(one && nine);

    const auto chat = render(*nine, {});

    EXPECT_TRUE(render(*one, {}));
    ASSERT_FALSE(chat);
    EXPECT_EQ(chat.error().code(), ErrorCode::kTemplateError);
    EXPECT_NE(chat.error().message().find("more than 100000 steps"), std::string::npos);
}

TEST(Render, ForgetsWhatAMessageSets) {
    auto request = request_with("{% set x = 1 %}{{ x }}{{ y }}");
    request.add_messages()->set_role("user");
    request.mutable_messages(1)->set_content("{{ x is defined }}{{ y }}");
    const auto version = version_of(request);
    ASSERT_TRUE(version);

    const auto chat = render(*version, variables_of(R"({"y":2})"));

    ASSERT_TRUE(chat);
    EXPECT_EQ(chat->messages(0).parts(0).text(), "12");
    EXPECT_EQ(chat->messages(1).parts(0).text(), "False2");
}

TEST(Render, BoundsTheTextOfAllMessages) {
    auto request = request_with("{{ x }}");
    for (int i = 0; i < 8; ++i) *request.add_messages() = request.messages(0);
    const auto version = version_of(request);
    ASSERT_TRUE(version);
    json::object variables;
    variables["x"] = std::string(500'000, 'x');

    const auto chat = render(*version, variables);

    ASSERT_FALSE(chat);
    EXPECT_EQ(chat.error().code(), ErrorCode::kTemplateError);
}

}  // namespace
}  // namespace quire::prompts
