// What a client's body becomes, and how it is refused. The way back is in chat_json_write_test.cpp.
#include "providers/chat_json.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace quire::providers {
namespace {

using common::v1::ChatMessage;
using common::v1::ChatRequest;

Result<ChatRequest> read(std::string_view text) {
    const auto body = runtime::parse_json(text);
    if (!body) return body.error();
    return read_chat_request(body->as_object());
}

/// The smallest body, with these members beside it.
std::string body_with(std::string_view members) {
    return fmt::format(R"({{"model":"m","messages":[{{"role":"user","content":"hi"}}],{}}})",
                       members);
}

/// A body with this one message.
std::string body_of_message(std::string_view message) {
    return fmt::format(R"({{"model":"m","messages":[{}]}})", message);
}

Result<ChatMessage> read_message(std::string_view message) {
    const auto chat = read(body_of_message(message));
    if (!chat) return chat.error();
    return chat->messages(0);
}

struct Refusal {
    std::string body;
    ErrorCode code;
    std::string_view param;
};

void expect_refused(const std::vector<Refusal>& refusals) {
    for (const Refusal& refusal : refusals) {
        const auto chat = read(refusal.body);

        ASSERT_FALSE(chat) << refusal.body;
        EXPECT_EQ(chat.error().code(), refusal.code) << refusal.body;
        EXPECT_EQ(chat.error().detail("param"), refusal.param) << refusal.body;
    }
}

TEST(ReadChatRequest, TakesModelAndMessages) {
    const auto chat = read(R"({"model":"writer","messages":[{"role":"system","content":"be kind"},
                               {"role":"user","content":"größe 🐝"}]})");

    ASSERT_TRUE(chat);
    EXPECT_EQ(chat->model(), "writer");
    ASSERT_EQ(chat->messages_size(), 2);
    EXPECT_EQ(chat->messages(0).role(), "system");
    EXPECT_EQ(chat->messages(1).parts(0).text(), "größe 🐝");
    EXPECT_TRUE(chat->messages(1).content_is_text());
    EXPECT_EQ(chat->extra_json(), "");
}

TEST(ReadChatRequest, TakesEverySamplingField) {
    const auto chat = read(body_with(R"("temperature":0.5,"top_p":0.25,"presence_penalty":-1.5,
        "frequency_penalty":1.5,"max_tokens":7,"max_completion_tokens":8,"seed":-9,"n":1)"));

    ASSERT_TRUE(chat);
    EXPECT_EQ(chat->temperature(), 0.5);
    EXPECT_EQ(chat->top_p(), 0.25);
    EXPECT_EQ(chat->presence_penalty(), -1.5);
    EXPECT_EQ(chat->frequency_penalty(), 1.5);
    EXPECT_EQ(chat->max_tokens(), 7);
    EXPECT_EQ(chat->max_completion_tokens(), 8);
    EXPECT_EQ(chat->seed(), -9);
    EXPECT_EQ(chat->extra_json(), "");
}

TEST(ReadChatRequest, TakesTheEndsOfEveryRange) {
    for (const std::string_view members : {
             R"("temperature":0,"top_p":0,"presence_penalty":-2,"frequency_penalty":-2)",
             R"("temperature":2,"top_p":1,"presence_penalty":2,"frequency_penalty":2)",
             R"("max_tokens":1,"max_completion_tokens":9223372036854775807)",
             R"("stop":["a","b","c","d"])",
             R"("stop":[])",
         }) {
        EXPECT_TRUE(read(body_with(members))) << members;
    }
}

TEST(ReadChatRequest, LeavesAbsentWhatIsAbsentOrNull) {
    for (const std::string_view members : {
             R"("temperature":null,"top_p":null,"presence_penalty":null,"frequency_penalty":null,
                "max_tokens":null,"max_completion_tokens":null,"seed":null,"n":null,"stop":null,
                "n_predict":null,"tools":null,"tool_choice":null,"response_format":null)",
             R"("user":"u")",
         }) {
        const auto chat = read(body_with(members));

        ASSERT_TRUE(chat) << members;
        EXPECT_FALSE(chat->has_temperature());
        EXPECT_FALSE(chat->has_top_p());
        EXPECT_FALSE(chat->has_presence_penalty());
        EXPECT_FALSE(chat->has_frequency_penalty());
        EXPECT_FALSE(chat->has_max_tokens());
        EXPECT_FALSE(chat->has_max_completion_tokens());
        EXPECT_FALSE(chat->has_seed());
        EXPECT_EQ(chat->stop_size(), 0);
        EXPECT_EQ(chat->tools_json(), "");
        EXPECT_EQ(chat->tool_choice_json(), "");
        EXPECT_EQ(chat->response_format_json(), "");
    }
}

TEST(ReadChatRequest, TakesOneStopOrAList) {
    const auto one = read(body_with(R"("stop":"\n\n")"));
    const auto list = read(body_with(R"("stop":["a","ß"])"));

    ASSERT_TRUE(one);
    ASSERT_TRUE(list);
    EXPECT_EQ(one->stop(0), "\n\n");
    EXPECT_EQ(list->stop_size(), 2);
    EXPECT_EQ(list->stop(1), "ß");
}

TEST(ReadChatRequest, KeepsToolsChoiceAndFormatAsTheyCame) {
    const auto chat = read(body_with(
        R"("tools":[{"type":"function"}],"tool_choice":"auto","response_format":{"type":"text"})"));

    ASSERT_TRUE(chat);
    EXPECT_EQ(chat->tools_json(), R"([{"type":"function"}])");
    EXPECT_EQ(chat->tool_choice_json(), R"("auto")");
    EXPECT_EQ(chat->response_format_json(), R"({"type":"text"})");
}

TEST(ReadChatRequest, KeepsUnknownFieldsButNotTheEdgesOwn) {
    const auto chat = read(body_with(
        R"("logprobs":true,"stream":true,"stream_options":{"include_usage":true},"x":null)"));

    ASSERT_TRUE(chat);
    EXPECT_EQ(chat->extra_json(), R"({"logprobs":true,"x":null})");
}

TEST(ReadChatRequest, RefusesABodyWithoutModelOrMessages) {
    using enum ErrorCode;
    expect_refused({
        {R"({})", kMissingRequiredParameter, "model"},
        {R"({"model":null,"messages":[]})", kMissingRequiredParameter, "model"},
        {R"({"model":5,"messages":[]})", kInvalidValue, "model"},
        {R"({"model":"","messages":[]})", kInvalidValue, "model"},
        {R"({"model":"m"})", kMissingRequiredParameter, "messages"},
        {R"({"model":"m","messages":null})", kMissingRequiredParameter, "messages"},
        {R"({"model":"m","messages":{}})", kInvalidValue, "messages"},
        {R"({"model":"m","messages":[]})", kInvalidValue, "messages"},
    });
}

TEST(ReadChatRequest, RefusesValuesOutOfRangeOrOfAnotherType) {
    struct Bad {
        std::string_view field;
        std::vector<std::string_view> values;
    };
    const std::vector<Bad> all{
        {"temperature", {"-0.1", "2.1", "1e400", R"("1")", "true", "[1]"}},
        {"top_p", {"-0.1", "1.01", R"("1")"}},
        {"presence_penalty", {"-2.1", "2.1", "{}"}},
        {"frequency_penalty", {"-2.1", "2.1", "false"}},
        {"max_tokens", {"0", "-1", "1.5", R"("1")", "9223372036854775808"}},
        {"max_completion_tokens", {"0", "-1", "1.5", "[]"}},
        {"seed", {"1.5", R"("1")", "9223372036854775808"}},
        {"n", {"0", "-1", "129", "1.5", R"("1")"}},
        {"stop", {"5", "{}", R"(["a",1])", R"(["a","b","c","d","e"])"}},
        {"tools", {"{}", R"("auto")", "1"}},
    };
    for (const Bad& bad : all) {
        for (const std::string_view value : bad.values) {
            expect_refused({{body_with(fmt::format(R"("{}":{})", bad.field, value)),
                             ErrorCode::kInvalidValue, bad.field}});
        }
    }
}

TEST(ReadChatRequest, SaysThatMoreThanOneChoiceIsNotOffered) {
    expect_refused({{body_with(R"("n":2)"), ErrorCode::kUnsupportedValue, "n"},
                    {body_with(R"("n_predict":5)"), ErrorCode::kUnsupportedParameter, "n_predict"},
                    {body_with(R"("n":128)"), ErrorCode::kUnsupportedValue, "n"}});
}

TEST(ReadChatRequest, RefusesBadMessagesNamingTheirPlace) {
    using enum ErrorCode;
    const std::vector<std::pair<std::string_view, Refusal>> all{
        {"null", {"", kInvalidValue, "messages[0]"}},
        {"5", {"", kInvalidValue, "messages[0]"}},
        {R"({"content":"hi"})", {"", kMissingRequiredParameter, "messages[0].role"}},
        {R"({"role":null,"content":"hi"})", {"", kMissingRequiredParameter, "messages[0].role"}},
        {R"({"role":"User","content":"hi"})", {"", kInvalidValue, "messages[0].role"}},
        {R"({"role":5,"content":"hi"})", {"", kInvalidValue, "messages[0].role"}},
        {R"({"role":"user"})", {"", kMissingRequiredParameter, "messages[0].content"}},
        {R"({"role":"tool","content":null})",
         {"", kMissingRequiredParameter, "messages[0].content"}},
        {R"({"role":"user","content":[]})", {"", kInvalidValue, "messages[0].content"}},
        {R"({"role":"user","content":5})", {"", kInvalidValue, "messages[0].content"}},
        {R"({"role":"user","content":["hi"]})", {"", kInvalidValue, "messages[0].content[0]"}},
        {R"({"role":"user","content":[{"text":"hi"}]})",
         {"", kMissingRequiredParameter, "messages[0].content[0].type"}},
        {R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":5}]})",
         {"", kInvalidValue, "messages[0].content[1].text"}},
        {R"({"role":"user","content":[{"type":"text"}]})",
         {"", kInvalidValue, "messages[0].content[0].text"}},
        {R"({"role":"assistant","tool_calls":{}})", {"", kInvalidValue, "messages[0].tool_calls"}},
        {R"({"role":"assistant","tool_calls":[5]})", {"", kInvalidValue, "messages[0].tool_calls"}},
        {R"({"role":"tool","content":"x","tool_call_id":5})",
         {"", kInvalidValue, "messages[0].tool_call_id"}},
        {R"({"role":"user","content":"x","name":{}})", {"", kInvalidValue, "messages[0].name"}},
    };
    for (const auto& [message, refusal] : all) {
        expect_refused({{body_of_message(message), refusal.code, refusal.param}});
    }
}

TEST(ReadChatRequest, NamesTheMessageAtFault) {
    expect_refused({{R"({"model":"m","messages":[{"role":"user","content":"a"},{"role":"robot"}]})",
                     ErrorCode::kInvalidValue, "messages[1].role"}});
}

TEST(ReadChatMessage, TakesEveryRole) {
    for (const std::string_view role :
         {"developer", "system", "user", "assistant", "tool", "function"}) {
        const auto message = read_message(fmt::format(R"({{"role":"{}","content":"x"}})", role));

        ASSERT_TRUE(message) << role;
        EXPECT_EQ(message->role(), role);
    }
}

TEST(ReadChatMessage, TakesAnEmptyText) {
    const auto message = read_message(R"({"role":"user","content":""})");

    ASSERT_TRUE(message);
    EXPECT_TRUE(message->content_is_text());
    EXPECT_EQ(message->parts(0).text(), "");
}

TEST(ReadChatMessage, AnAssistantMayHaveNoContent) {
    const auto message = read_message(R"({"role":"assistant","content":null})");

    ASSERT_TRUE(message);
    EXPECT_EQ(message->parts_size(), 0);
}

TEST(ReadChatMessage, KeepsWhatIsNoPlainTextRaw) {
    const auto message = read_message(R"({"role":"user","content":[{"type":"text","text":"see"},
        {"type":"image_url","image_url":{"url":"data:,"}},
        {"type":"text","text":"kept","cache_control":{"type":"ephemeral"}}]})");

    ASSERT_TRUE(message);
    EXPECT_FALSE(message->content_is_text());
    ASSERT_EQ(message->parts_size(), 3);
    EXPECT_EQ(message->parts(0).text(), "see");
    EXPECT_EQ(message->parts(1).raw_json(), R"({"type":"image_url","image_url":{"url":"data:,"}})");
    EXPECT_EQ(message->parts(2).raw_json(),
              R"({"type":"text","text":"kept","cache_control":{"type":"ephemeral"}})");
}

TEST(ReadChatMessage, TakesToolCallsAndTheirAnswers) {
    const auto call = read_message(R"({"role":"assistant","tool_calls":[{"id":"c1",
        "type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]})");
    const auto answer = read_message(R"({"role":"tool","tool_call_id":"c1","content":"42"})");

    ASSERT_TRUE(call);
    ASSERT_EQ(call->tool_calls_size(), 1);
    EXPECT_EQ(call->tool_calls(0).id(), "c1");
    EXPECT_EQ(call->tool_calls(0).type(), "function");
    EXPECT_EQ(call->tool_calls(0).name(), "f");
    EXPECT_EQ(call->tool_calls(0).arguments(), R"({"a":1})");
    EXPECT_EQ(call->tool_calls(0).raw_json(), "");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->tool_call_id(), "c1");
}

TEST(ReadChatMessage, KeepsToolCallsOfAnotherFormRaw) {
    for (const std::string_view call : {
             R"({"id":"c1","type":"custom","custom":{"name":"f","input":"x"}})",
             R"({"id":"c1","type":"function","function":{"name":"f","arguments":"{}"},"index":0})",
             R"({"id":"c1","type":"function","function":{"name":"f","arguments":"{}","strict":1}})",
             R"({"id":"c1","type":"function","function":{"name":"f","arguments":{"a":1}}})",
         }) {
        const auto message =
            read_message(fmt::format(R"({{"role":"assistant","tool_calls":[{}]}})", call));

        ASSERT_TRUE(message) << call;
        EXPECT_EQ(message->tool_calls(0).raw_json(), call);
    }
}

TEST(ReadChatMessage, KeepsTheFieldsItDoesNotKnow) {
    const auto message = read_message(
        R"({"role":"assistant","content":"x","name":"ann","refusal":null,"audio":{"id":"a1"}})");

    ASSERT_TRUE(message);
    EXPECT_EQ(message->name(), "ann");
    EXPECT_EQ(message->extra_json(), R"({"refusal":null,"audio":{"id":"a1"}})");
}

}  // namespace
}  // namespace quire::providers
