#include "providers/prompt_fields.hpp"

#include <gtest/gtest.h>

namespace quire::providers {
namespace {

/// Fields that may be published.
PromptFields good() {
    PromptFields fields;
    fields.name = "post";
    fields.messages.push_back({"user", "x"});
    return fields;
}

/// The code and the field of the refusal, "" for none.
std::string refusal(const PromptFields& fields) {
    const auto checked = check_prompt_fields(fields);
    if (checked) return "";
    return std::string(checked.error().name()) + " " + std::string(checked.error().detail("param"));
}

TEST(CheckPromptFields, NamesTheFieldAtFault) {
    const std::string large(300'000, 'x');
    PromptFields name = good();
    name.name = "Loud";
    PromptFields model = good();
    model.model = std::string_view(large).substr(0, 257);
    PromptFields empty = good();
    empty.messages.clear();
    PromptFields role = good();
    role.messages[0].role = "tool";
    PromptFields bytes = good();
    bytes.messages[0].content = large;
    PromptFields label = good();
    label.labels = {"fine", "Loud"};
    PromptFields labels = good();
    labels.labels.assign(21, "l");

    EXPECT_EQ(refusal(good()), "");
    EXPECT_EQ(refusal(name), "invalid_value name");
    EXPECT_EQ(refusal(model), "invalid_value /model");
    EXPECT_EQ(refusal(empty), "invalid_value /messages");
    EXPECT_EQ(refusal(role), "invalid_value /messages/0/role");
    EXPECT_EQ(refusal(bytes), "invalid_value /messages");
    EXPECT_EQ(refusal(label), "invalid_value labels");
    EXPECT_EQ(refusal(labels), "invalid_value /labels");
}

TEST(CheckPromptFields, DoesNotReadTemplates) {
    PromptFields fields = good();
    fields.messages[0].content = "{{ open";

    EXPECT_EQ(refusal(fields), "");
}

TEST(CheckPromptFields, DoesNotQuoteAllOfALongName) {
    const std::string large(5'000'000, 'n');
    const std::string parameters = "{\"" + large + "\":1}";
    PromptFields name = good();
    name.name = large;
    PromptFields unknown = good();
    unknown.parameters_json = parameters;

    for (const PromptFields& fields : {name, unknown}) {
        const auto checked = check_prompt_fields(fields);

        ASSERT_FALSE(checked);
        EXPECT_LT(checked.error().message().size(), 400U);
        EXPECT_LE(checked.error().detail("param").size(), 100U);
    }
}

TEST(ChatWithParameters, CallsTheLimitAsAChatDoes) {
    const auto chat = chat_with_parameters(R"({"seed":5,"max_output_tokens":7})");

    ASSERT_TRUE(chat);
    EXPECT_EQ(json::serialize(*chat), R"({"seed":5,"max_tokens":7})");
}

}  // namespace
}  // namespace quire::providers
