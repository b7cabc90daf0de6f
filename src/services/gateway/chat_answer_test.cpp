#include "services/gateway/chat_answer.hpp"

#include "base/clock.hpp"
#include "tests/support/chat_events.hpp"
#include "tests/support/fake_exchange.hpp"
#include "tests/support/run_coroutine.hpp"

#include <gtest/gtest.h>

namespace quire::gateway {
namespace {

using namespace std::chrono_literals;
using common::v1::ChatEvent;
using test::finished_event;
using test::started_event;
using test::text_event;

const ChatIdentity kIdentity{"chatcmpl-1", "wri\"ter", 1'790'000'000};

ChatEvent piece(common::v1::Channel channel, const std::string& text) {
    ChatEvent event = text_event(text);
    event.mutable_delta()->set_channel(channel);
    return event;
}

ChatEvent call_piece(std::int32_t index, const std::string& id, const std::string& name,
                     const std::string& arguments) {
    ChatEvent event;
    auto& call = *event.mutable_delta()->mutable_tool_call();
    call.set_index(index);
    call.set_id(id);
    call.set_name(name);
    call.set_arguments(arguments);
    if (!id.empty()) call.set_type("function");
    return event;
}

ChatEvent with_logprobs(const std::string& text, const std::string& logprobs) {
    ChatEvent event = text_event(text);
    event.mutable_delta()->set_logprobs_json(logprobs);
    return event;
}

http::Response answer_to(const std::vector<ChatEvent>& events) {
    ChatAnswer answer;
    for (const ChatEvent& event : events) EXPECT_TRUE(test::run(answer.write(event)));
    test::FakeExchange exchange;
    rpc::CallContext ctx;
    ctx.request_id = "req_1";
    GatewayCall call(exchange, ctx, SteadyTime());
    call.auth_took = 1500us;
    EXPECT_TRUE(test::run(answer.respond(call, kIdentity)));
    return exchange.response.value_or(http::Response());
}

/// `choices[0]` of the answer, or the part of it at this pointer.
std::string choice_of(const std::vector<ChatEvent>& events, std::string_view pointer = "") {
    const std::string body = answer_to(events).body;
    const auto parsed = runtime::parse_json(body);
    EXPECT_TRUE(parsed) << body;
    if (!parsed) return "";
    return json::serialize(parsed->at_pointer("/choices/0" + std::string(pointer)));
}

TEST(ChatAnswer, IsOpenAisObjectToTheByte) {
    ChatEvent finished = finished_event("stop");
    finished.mutable_finished()->mutable_usage()->set_input_tokens(3);
    finished.mutable_finished()->mutable_usage()->set_output_tokens(2);

    const auto response =
        answer_to({started_event(), text_event("Grö"), text_event("ße"), finished});

    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.content_type, "application/json");
    EXPECT_EQ(response.body,
              R"({"id":"chatcmpl-1","object":"chat.completion","created":1790000000,)"
              R"("model":"wri\"ter","choices":[{"index":0,"message":{"role":"assistant",)"
              R"("content":"Größe","refusal":null},"logprobs":null,"finish_reason":"stop"}],)"
              R"("usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})");
}

TEST(ChatAnswer, LeavesOutTheUsageThatNobodyKnows) {
    EXPECT_EQ(answer_to({finished_event()}).body.find("usage"), std::string::npos);
}

TEST(ChatAnswer, CarriesTheRequestsIdAndTheTimesOfItsSteps) {
    ChatEvent started = started_event();
    auto& step = *started.mutable_started()->add_steps();
    step.set_name("queue");
    step.set_duration_us(2250);

    const auto response = answer_to({started, finished_event()});

    EXPECT_EQ(test::header_of(response, "x-request-id"), "req_1");
    EXPECT_EQ(test::header_of(response, "server-timing"), "auth;dur=1.500, queue;dur=2.250");
}

TEST(ChatAnswer, AnEmptyAnswerHasAnEmptyText) {
    EXPECT_EQ(choice_of({finished_event("length")}, "/message/content"), R"("")");
}

TEST(ChatAnswer, EscapesText) {
    const std::string words("\"\\\n\0\x1f", 5);

    EXPECT_EQ(choice_of({text_event(words), finished_event()}, "/message/content"),
              R"("\"\\\n\u0000\u001f")");
}

TEST(ChatAnswer, KeepsTheChannelsApart) {
    const std::vector<ChatEvent> events{
        piece(common::v1::REASONING, "h"), piece(common::v1::CONTENT, "a"),
        piece(common::v1::REASONING, "m"), piece(common::v1::CONTENT, "b"), finished_event()};

    EXPECT_EQ(choice_of(events, "/message"),
              R"({"role":"assistant","content":"ab","refusal":null,"reasoning_content":"hm"})");
}

TEST(ChatAnswer, ARefusalHasNoContent) {
    EXPECT_EQ(choice_of({piece(common::v1::REFUSAL, "no"), finished_event()}, "/message"),
              R"({"role":"assistant","content":null,"refusal":"no"})");
}

TEST(ChatAnswer, PutsToolCallsTogetherByTheirIndex) {
    const std::vector<ChatEvent> events{
        call_piece(0, "c1", "f", ""),      call_piece(0, "", "", "{\"a\":"),
        call_piece(2, "c3", "h", "{}"),    call_piece(1, "c2", "g", "[]"),
        call_piece(0, "", "", "\"\\n\"}"), finished_event("tool_calls")};

    EXPECT_EQ(choice_of(events, "/message"),
              R"({"role":"assistant","content":null,"refusal":null,"tool_calls":[)"
              R"({"id":"c1","type":"function","function":{"name":"f","arguments":)"
              R"("{\"a\":\"\\n\"}"}},)"
              R"({"id":"c2","type":"function","function":{"name":"g","arguments":"[]"}},)"
              R"({"id":"c3","type":"function","function":{"name":"h","arguments":"{}"}}]})");
}

TEST(ChatAnswer, ToolCallsMayHaveTextBesideThem) {
    const std::vector<ChatEvent> events{text_event("see:"), call_piece(0, "c1", "f", "{}"),
                                        finished_event("tool_calls")};

    EXPECT_EQ(choice_of(events, "/message/content"), R"("see:")");
}

TEST(ChatAnswer, JoinsTheListsOfLogprobs) {
    EXPECT_EQ(choice_of({with_logprobs("a", R"({"content":[{"token":"a"}],"refusal":null})"),
                         with_logprobs("b", R"({"content":[{"token":"b"},{"token":"c"}]})"),
                         text_event("d"), with_logprobs("e", R"({"content":null})"),
                         with_logprobs("f", R"({"content":[{"token":"f"}]})"), finished_event()},
                        "/logprobs/content"),
              R"([{"token":"a"},{"token":"b"},{"token":"c"},{"token":"f"}])");
}

/// A long answer with logprobs must not hold the loop up for everybody else.
TEST(ChatAnswer, JoinsManyLogprobsInLinearTime) {
    std::string top = R"({"content":[{"token":"a","logprob":-0.5,"top_logprobs":[)";
    for (int i = 0; i < 20; ++i) {
        top += std::string(i == 0 ? "" : ",") + R"({"token":"abcdef","logprob":-1.5,"bytes":null})";
    }
    top += "]}]}";
    std::vector<ChatEvent> events(4'000, with_logprobs("a", top));
    events.push_back(finished_event());
    const SteadyTime began = SystemClock().steady();

    const std::string body = answer_to(events).body;

    EXPECT_LT(SystemClock().steady() - began, 3s);
    EXPECT_GT(body.size(), 4'000 * (top.size() - 20));
}

}  // namespace
}  // namespace quire::gateway
