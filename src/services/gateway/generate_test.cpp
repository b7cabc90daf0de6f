// POST /api/v1/generate: what goes to prompts, and the exact bytes that come back.
#include "services/gateway/gateway_api.hpp"
#include "tests/support/chat_events.hpp"
#include "tests/support/gateway_under_test.hpp"

#include <gtest/gtest.h>

namespace quire::gateway {
namespace {

using common::v1::ChatEvent;
using test::HttpAnswer;

class GatewayGenerate : public testing::Test {
protected:
    GatewayGenerate() {
        gateway_.prompts->on_generate =
            [this](const rpc::CallContext&, const prompts::v1::GenerateCall& call,
                   rpc::Sink<ChatEvent>& sink) { return play(call, sink); };
        ChatEvent started = test::started_event();
        started.mutable_started()->set_prompt("post");
        started.mutable_started()->set_prompt_version(3);
        started.mutable_started()->set_replay_of("req_1");
        ChatEvent thought = test::text_event("hm");
        thought.mutable_delta()->set_channel(common::v1::REASONING);
        ChatEvent finished = test::finished_event();
        finished.mutable_finished()->mutable_usage()->set_input_tokens(10);
        finished.mutable_finished()->mutable_usage()->set_output_tokens(2);
        finished.mutable_finished()->mutable_cost()->set_amount(7);
        auto& note = *finished.mutable_finished()->add_review();
        note.set_stage("output");
        note.set_rule("ca\"rds");
        note.set_kind("pii.card");
        note.set_action("redact");
        note.set_count(1);
        events_ = {started,
                   thought,
                   test::text_event("One\n"),
                   test::text_event(""),
                   test::text_event("two"),
                   finished};
    }
    awaitable<Result<void>> play(const prompts::v1::GenerateCall& call,
                                 rpc::Sink<ChatEvent>& sink) {
        seen_ = call;
        for (const ChatEvent& event : events_) {
            const auto written = co_await sink.write(event);
            if (!written) co_return written.error();
        }
        if (end_) co_return *end_;
        co_return Result<void>();
    }
    HttpAnswer post(std::string body) {
        return gateway_.send("POST", "/api/v1/generate", std::move(body));
    }

    test::GatewayUnderTest gateway_;
    std::vector<ChatEvent> events_;
    std::optional<Error> end_;
    prompts::v1::GenerateCall seen_;
};

constexpr std::string_view kEnd =
    R"("finish_reason":"stop","usage":{"input_tokens":10,"output_tokens":2},)"
    R"("cost":{"amount":7,"unit":"micro_credits","estimated":false},)"
    R"("review":[{"stage":"output","rule":"ca\"rds","kind":"pii.card","action":"redact",)"
    R"("count":1}]})";
constexpr std::string_view kStartEvent =
    R"({"id":"req_1","prompt":{"name":"post","version":3},"model":"writer")";

TEST_F(GatewayGenerate, AnswersPlain) {
    const HttpAnswer answer = post(R"({"prompt":"post"})");

    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body,
              std::string(kStartEvent) + R"(,"output":"One\ntwo",)" + std::string(kEnd));
    EXPECT_EQ(answer.headers.find("content-type"), "application/json");
    EXPECT_EQ(answer.headers.find("idempotent-replayed"), "true");
}

TEST_F(GatewayGenerate, AnswersWithEvents) {
    const HttpAnswer answer = post(R"({"prompt":"post","stream":true})");

    EXPECT_EQ(answer.body, "event: start\ndata: " + std::string(kStartEvent) +
                               "}\n\n"
                               "event: delta\ndata: {\"text\":\"One\\n\"}\n\n"
                               "event: delta\ndata: {\"text\":\"two\"}\n\n"
                               "event: done\ndata: " +
                               std::string(kStartEvent) + "," + std::string(kEnd) + "\n\n");
    EXPECT_EQ(answer.headers.find("content-type"), "text/event-stream; charset=utf-8");
}

TEST_F(GatewayGenerate, EndsWithAProblemWhenItBreaksOff) {
    events_.resize(3);
    end_ = Error(ErrorCode::kStreamInterrupted, "cut");

    const HttpAnswer answer = post(R"({"prompt":"post","stream":true})");

    const auto at = answer.body.find("event: error\ndata: {\"type\":\"urn:quire:error:");
    ASSERT_NE(at, std::string::npos) << answer.body;
    EXPECT_NE(answer.body.find(R"("code":"stream_interrupted")", at), std::string::npos);
    EXPECT_TRUE(answer.body.ends_with("}\n\n"));
}

TEST_F(GatewayGenerate, HandsEveryFieldOn) {
    post(R"({"prompt":"post","label":"beta","variables":{"a":[1,"x"]},"model":"m",)"
         R"("max_output_tokens":5,"metadata":{"k":"v"},"stream":false})");

    EXPECT_EQ(seen_.prompt(), "post");
    EXPECT_EQ(seen_.label(), "beta");
    EXPECT_EQ(seen_.variables_json(), R"({"a":[1,"x"]})");
    EXPECT_EQ(seen_.model(), "m");
    EXPECT_EQ(seen_.max_output_tokens(), 5);
    EXPECT_EQ(seen_.metadata().at("k"), "v");
    EXPECT_EQ(seen_.route(), "/api/v1/generate");
    EXPECT_EQ(seen_.steps(0).name(), "auth");
    EXPECT_EQ(seen_.request_hash(), "");
}

TEST_F(GatewayGenerate, CountsTheCharactersOfMetadata) {
    const auto with = [this](int keys, int values) {
        std::string body = R"({"prompt":"p","metadata":{")";
        for (int i = 0; i < keys; ++i) body += "é";
        body += R"(":")";
        for (int i = 0; i < values; ++i) body += "é";
        return post(body + R"("}})").status;
    };

    EXPECT_NE(with(64, 512), 400);
    EXPECT_EQ(with(65, 512), 400);
    EXPECT_EQ(with(64, 513), 400);
}

TEST_F(GatewayGenerate, RefusesFieldsThatAreWrongNamingThem) {
    struct Case {
        std::string body;
        std::string_view code;
        std::string_view pointer;
    };
    for (const Case& each : std::vector<Case>{
             {R"({})", "missing_required_parameter", "/prompt"},
             {R"({"prompt":5})", "invalid_value", "/prompt"},
             {R"({"prompt":"p","label":5})", "invalid_value", "/label"},
             {R"({"prompt":"p","version":1.5})", "invalid_value", "/version"},
             {R"({"prompt":"p","version":1,"label":"l"})", "invalid_value", "/version"},
             {R"({"prompt":"p","variables":"x"})", "invalid_value", "/variables"},
             {R"({"prompt":"p","max_output_tokens":-1})", "invalid_value", "/max_output_tokens"},
             {R"({"prompt":"p","stream":1})", "invalid_value", "/stream"},
             {R"({"prompt":"p","metadata":{"a":1}})", "invalid_value", "/metadata"},
             {R"({"prompt":"p","n":1})", "unsupported_parameter", "/n"},
             {R"({"prompt":"p","/a~b":1})", "unsupported_parameter", "/~1a~0b"},
         }) {
        const HttpAnswer answer = post(each.body);

        EXPECT_EQ(answer.status, 400) << each.body;
        EXPECT_EQ(answer.code(), each.code) << each.body;
        EXPECT_EQ(answer.at("/errors/0/pointer"), each.pointer) << each.body;
    }
    EXPECT_EQ(gateway_.prompts->generate_calls, 0);
}

}  // namespace
}  // namespace quire::gateway
