#include "services/prompts/usage_estimate.hpp"

#include <gtest/gtest.h>

namespace quire::prompts {
namespace {

using common::v1::ChatRequest;
using common::v1::Delta;

/// A request of messages with one text each.
ChatRequest request_of(const std::vector<std::string>& texts) {
    ChatRequest request;
    for (const std::string& text : texts) request.add_messages()->add_parts()->set_text(text);
    return request;
}

std::int64_t input_tokens(const ChatRequest& request) {
    return UsageEstimate(request).usage().input_tokens();
}

Delta text(const std::string& words, common::v1::Channel channel = common::v1::CONTENT) {
    Delta delta;
    delta.set_channel(channel);
    delta.set_text(words);
    return delta;
}

Delta tool_call(const std::string& name, const std::string& arguments) {
    Delta delta;
    delta.mutable_tool_call()->set_name(name);
    delta.mutable_tool_call()->set_arguments(arguments);
    return delta;
}

std::int64_t output_tokens(const std::vector<Delta>& deltas) {
    UsageEstimate estimate((ChatRequest()));
    for (const Delta& delta : deltas) estimate.add(delta);
    return estimate.usage().output_tokens();
}

TEST(UsageEstimate, CountsAQuarterOfTheBytesAndFourForEachMessage) {
    struct Case {
        std::vector<std::string> texts;
        std::int64_t tokens;
    };
    for (const Case& each : std::vector<Case>{
             {{}, 0},
             {{""}, 4},
             {{"abcd"}, 5},
             {{"abcde"}, 6},
             {{"🐝"}, 5},
             {{"a", "b", "c"}, 13},  // the bytes are rounded once
             {{std::string(4000, 'x')}, 1004},
         }) {
        EXPECT_EQ(input_tokens(request_of(each.texts)), each.tokens);
    }
}

TEST(UsageEstimate, CountsWhateverIsSentBesideTheTexts) {
    ChatRequest request = request_of({""});
    request.set_tools_json("[12]");
    EXPECT_EQ(input_tokens(request), 5);
    request.set_response_format_json("{12}");
    EXPECT_EQ(input_tokens(request), 6);
    request.mutable_messages(0)->add_parts()->set_raw_json("{12}");
    EXPECT_EQ(input_tokens(request), 7);
    auto& call = *request.mutable_messages(0)->add_tool_calls();
    call.set_name("ab");
    call.set_arguments("{}");
    EXPECT_EQ(input_tokens(request), 8);
    request.mutable_messages(0)->add_tool_calls()->set_raw_json("{12}");
    EXPECT_EQ(input_tokens(request), 9);
}

TEST(UsageEstimate, CountsAPictureNotByItsBytes) {
    const std::string bytes(4'000'000, 'A');
    ChatRequest picture = request_of({""});
    picture.mutable_messages(0)->add_parts()->set_raw_json(
        R"({"type":"image_url","image_url":{"url":"data:image/png;base64,)" + bytes + R"("}})");
    EXPECT_EQ(input_tokens(picture), 1'004);

    ChatRequest text = request_of({""});  // with a field of its own, so it is kept raw
    text.mutable_messages(0)->add_parts()->set_raw_json(
        R"({"type":"text","cache_control":{},"text":")" + bytes + R"("})");
    EXPECT_GT(input_tokens(text), 1'000'000);
}

TEST(UsageEstimate, KnowsWhatSurelyCameHoweverItIsCut) {
    const auto least = [](const std::vector<Delta>& deltas) {
        UsageEstimate estimate((ChatRequest()));
        for (const Delta& delta : deltas) estimate.add(delta);
        return estimate.least_output_tokens();
    };
    EXPECT_EQ(least(std::vector<Delta>(40, text("x"))), 10);
    EXPECT_EQ(least({text(std::string(160, 'x'))}), 1);
    EXPECT_EQ(least(std::vector<Delta>(10, text("words"))), 10);
}

TEST(UsageEstimate, CountsWhatElseThePromptIsMadeOf) {
    ChatRequest request;
    request.set_tools_json("[12]");
    request.set_response_format_json("{12}");
    request.set_extra_json(R"({"top_k":1})");  // settings are no prompt
    EXPECT_EQ(input_tokens(request), 2);
}

TEST(UsageEstimate, TakesTheLargerOfPiecesAndAQuarterOfTheBytes) {
    EXPECT_EQ(output_tokens({}), 0);
    EXPECT_EQ(output_tokens({text("a")}), 1);
    EXPECT_EQ(output_tokens({text("a"), text("b"), text("c")}), 3);
    EXPECT_EQ(output_tokens({text(std::string(100, 'x'))}), 25);
    EXPECT_EQ(output_tokens({text(std::string(101, 'x'))}), 26);
    EXPECT_EQ(output_tokens({text(""), text("abcd")}), 1);
}

TEST(UsageEstimate, CountsEveryChannel) {
    EXPECT_EQ(output_tokens({text("a", common::v1::REASONING), text("b", common::v1::REFUSAL),
                             text("c"), tool_call("f", "{}")}),
              4);
    EXPECT_EQ(output_tokens({tool_call("", std::string(40, '1'))}), 10);
    EXPECT_EQ(output_tokens({tool_call("", "")}), 0);
}

TEST(UsageEstimate, SaysThatItIsOne) {
    EXPECT_TRUE(UsageEstimate(ChatRequest()).usage().estimated());
}

}  // namespace
}  // namespace quire::prompts
