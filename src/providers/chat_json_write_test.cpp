// What upstream is sent: nothing of the client's body is lost on the way through.
#include "providers/chat_json.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace quire::providers {
namespace {

using common::v1::ChatRequest;

constexpr std::string_view kHello = R"("model":"m","messages":[{"role":"user","content":"hi"}])";

/// Real bodies, one for each thing that clients send. What is written is compared value by value.
constexpr std::array<std::string_view, 13> kBodies{
    R"({"model":"m","messages":[{"role":"developer","content":"be kind"},
        {"role":"system","content":""},{"role":"user","content":"q\"\\\n\u0001 größe 🐝","name":"ann"}]})",
    R"({"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0.7,"top_p":0.125,
        "presence_penalty":-0.5,"frequency_penalty":1.5,"seed":-42,"max_tokens":9007199254740993})",
    R"({"model":"m","messages":[{"role":"user","content":"weather?"}],"tools":[{"type":"function",
        "function":{"name":"get_weather","description":"d","strict":true,"parameters":{
        "type":"object","properties":{"city":{"type":"string","enum":["a","ß"]}},
        "required":["city"],"additionalProperties":false}}},{"type":"custom","custom":{"name":"x"}}],
        "tool_choice":{"type":"function","function":{"name":"get_weather"}},
        "parallel_tool_calls":false})",
    R"({"model":"m","messages":[{"role":"user","content":"weather?"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",
        "function":{"name":"f","arguments":"{\"city\":\"Łódź\",\"n\":1}"}},{"id":"c2",
        "type":"function","function":{"name":"g","arguments":""}}]},
        {"role":"tool","tool_call_id":"c1","content":"cold"},
        {"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"warm"}]}]})",
    R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"what is it?"},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}},
        {"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}},
        {"type":"file","file":{"file_id":"file-1"}},
        {"type":"text","text":"","cache_control":{"type":"ephemeral"}}]}]})",
    R"({"model":"m","messages":[{"role":"user","content":"hi"}],"response_format":{
        "type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"type":"object",
        "properties":{"a":{"type":["string","null"]}},"required":["a"]}}}})",
    R"({"model":"m","messages":[{"role":"assistant","content":"no","refusal":"I cannot",
        "audio":{"id":"audio_1"},"annotations":[]},{"role":"assistant","content":"x","refusal":null},
        {"role":"user","content":"why?"}]})",
    R"({"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[
        {"id":"c1","type":"custom","custom":{"name":"sh","input":"ls"}},
        {"id":"c2","type":"function","function":{"name":"f","arguments":"{}"},
        "extra_content":{"google":{"thought_signature":"c2ln"}}}]},
        {"role":"tool","tool_call_id":"c1","content":"a"}]})",
    R"({"model":"m","messages":[{"role":"user","content":"hi"}],"logprobs":true,"top_logprobs":20,
        "logit_bias":{"50256":-100,"11":2.5},"user":"u1","safety_identifier":"s1",
        "metadata":{"k":"v"},"store":false,"service_tier":"auto","verbosity":"low",
        "reasoning_effort":"none","prompt_cache_key":"p","prediction":{"type":"content",
        "content":"x"},"modalities":["text"],"web_search_options":{}})",
    R"({"model":"m","messages":[{"role":"user","content":"hi"}],"functions":[{"name":"f",
        "parameters":{}}],"function_call":{"name":"f"}})",
    R"({"model":"m","messages":[{"role":"assistant","content":"","function_call":{"name":"f",
        "arguments":"{}"}},{"role":"function","name":"f","content":"1"}]})",
    R"({"model":"m","messages":[{"role":"user","content":"hi"}],"stop":["\n\n","END","🐝","\u0000"],
        "max_completion_tokens":1})",
    R"({"model":"m","messages":[{"role":"user","content":"hi"}],"chat_template_kwargs":{"deep":
        [[[[{"a":[1,-1,18446744073709551615,0.1,1e-9,true,null,"\u2028"]}]]]]},"top_k":40,
        "guided_json":{"é":"è"},"null_field":null})",
};

json::value parsed(std::string_view text) {
    auto value = runtime::parse_json(text);
    EXPECT_TRUE(value) << text;
    return value ? *std::move(value) : json::value();
}

ChatRequest chat_of(std::string_view text) {
    auto chat = read_chat_request(parsed(text).as_object());
    EXPECT_TRUE(chat) << text;
    return chat ? *std::move(chat) : ChatRequest();
}

ChatRequest hello(std::string_view members = "") {
    return chat_of(fmt::format("{{{}{}{}}}", kHello, members.empty() ? "" : ",", members));
}

json::object written(const ChatRequest& chat, const UpstreamBody& upstream = {"m", "", 0}) {
    return parsed(write_chat_request(chat, upstream)).as_object();
}

std::size_t count(std::string_view text, std::string_view what) {
    std::size_t found = 0;
    for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) {
        ++found;
    }
    return found;
}

TEST(ChatJson, LosesNothingOfABodyOnTheWayThrough) {
    for (const std::string_view body : kBodies) {
        json::object sent = written(chat_of(body));
        sent.erase("stream");
        sent.erase("stream_options");

        EXPECT_EQ(sent, parsed(body).as_object()) << body << "\nbecame " << json::value(sent);
    }
}

TEST(ChatJson, ReadsWhatItWroteAsTheSameRequest) {
    for (const std::string_view body : kBodies) {
        const ChatRequest chat = chat_of(body);

        const ChatRequest again = chat_of(write_chat_request(chat, {"m", "", 0}));

        EXPECT_EQ(again.ShortDebugString(), chat.ShortDebugString()) << body;
    }
}

TEST(WriteChatRequest, SendsTheUpstreamsNameOfTheModel) {
    const json::object sent = written(hello(), {"vendor/tiny \"1\"", "", 0});

    EXPECT_EQ(sent.at("model"), "vendor/tiny \"1\"");
}

TEST(WriteChatRequest, AlwaysStreamsWithUsage) {
    for (const std::string_view members :
         {R"("user":"u")", R"("stream":false)", R"("stream":true)", R"("stream":null)",
          R"("stream":false,"stream_options":{"include_usage":false})"}) {
        const std::string sent = write_chat_request(hello(members), {"m", "", 0});

        EXPECT_EQ(parsed(sent).at("stream"), true) << sent;
        EXPECT_EQ(parsed(sent).at("stream_options").at("include_usage"), true) << sent;
        EXPECT_EQ(count(sent, R"("stream":)"), 1u) << sent;
        EXPECT_EQ(count(sent, R"("stream_options":)"), 1u) << sent;
    }
}

TEST(WriteChatRequest, WritesNoFieldTwiceWhateverTheExtrasHold) {
    ChatRequest chat = hello(R"("max_tokens":5)");
    chat.set_extra_json(
        R"({"stream":false,"user":"u","stream_options":{},"max_tokens":6,"n_predict":7})");

    const std::string sent = write_chat_request(chat, {"m", "n_predict", 0});

    EXPECT_EQ(count(sent, R"("stream":)"), 1u) << sent;
    EXPECT_EQ(count(sent, R"("stream_options":)"), 1u) << sent;
    EXPECT_EQ(count(sent, R"("n_predict":)"), 1u) << sent;
    EXPECT_EQ(parsed(sent).at("stream"), true);
    EXPECT_EQ(parsed(sent).at("stream_options").at("include_usage"), true);
    EXPECT_EQ(parsed(sent).at("n_predict"), 5);
    EXPECT_EQ(parsed(sent).at("user"), "u");
}

TEST(WriteChatRequest, SendsTheLimitInTheFieldThatFits) {
    struct Case {
        std::string_view members;
        UpstreamBody upstream;
        std::string_view limits;  ///< what is sent of the four fields
    };
    const std::vector<Case> cases{
        {"", {"m", "", 0}, R"({})"},
        {"", {"m", "", 9}, R"({"max_tokens":9})"},
        {"", {"m", "n_predict", 9}, R"({"n_predict":9})"},
        {"", {"m", "n_predict", 0}, R"({})"},
        {R"("max_tokens":5)", {"m", "", 9}, R"({"max_tokens":5})"},
        {R"("max_tokens":5)", {"m", "max_completion_tokens", 9}, R"({"max_completion_tokens":5})"},
        {R"("max_completion_tokens":5)", {"m", "", 9}, R"({"max_completion_tokens":5})"},
        {R"("max_completion_tokens":5)", {"m", "max_tokens", 0}, R"({"max_tokens":5})"},
        {R"("max_completion_tokens":5,"max_tokens":6)",
         {"m", "", 9},
         R"({"max_completion_tokens":5})"},
        {R"("max_completion_tokens":5,"max_tokens":6)",
         {"m", "n_predict", 9},
         R"({"n_predict":5})"},
    };
    for (const Case& each : cases) {
        const json::object sent = written(hello(each.members), each.upstream);
        json::object limits;
        for (const std::string_view field : {"max_tokens", "max_completion_tokens", "n_predict"}) {
            if (const auto* value = sent.if_contains(field)) limits[field] = *value;
        }

        EXPECT_EQ(json::serialize(limits), each.limits)
            << each.members << " " << each.upstream.max_tokens_field;
    }
}

TEST(WriteChatRequest, SendsTheEdgesOfWholeNumbersExactly) {
    const json::object sent =
        written(hello(R"("seed":-9223372036854775808,"max_tokens":9223372036854775807)"));

    EXPECT_EQ(sent.at("seed"), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(sent.at("max_tokens"), std::numeric_limits<std::int64_t>::max());
}

TEST(WriteChatRequest, SendsOneStopAsAList) {
    EXPECT_EQ(json::serialize(written(hello(R"("stop":"END")")).at("stop")), R"(["END"])");
}

TEST(WriteChatRequest, GivesToolCallsWithoutATypeTheUsualOne) {
    const json::object sent = written(chat_of(
        R"({"model":"m","messages":[{"role":"assistant",
            "tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{}"}}]}]})"));

    EXPECT_EQ(sent.at("messages").at(0).at("tool_calls").at(0).at("type"), "function");
    EXPECT_TRUE(sent.at("messages").at(0).at("content").is_null());
}

TEST(PlainTextOf, HoldsEveryRoleAndPart) {
    const ChatRequest chat =
        chat_of(R"({"model":"m","messages":[{"role":"system","content":"be kind"},
        {"role":"user","content":[{"type":"text","text":"see"},{"type":"file","file":1}]},
        {"role":"assistant","content":null}]})");

    EXPECT_EQ(plain_text_of(chat),
              "system: be kind\nuser: see {\"type\":\"file\",\"file\":1}\nassistant:\n");
}

}  // namespace
}  // namespace quire::providers
