// Event streams through a real server: what goes out when, and how they end.
#include "services/gateway/chat_stream.hpp"

#include "runtime/wakeup.hpp"
#include "tests/support/chat_events.hpp"
#include "tests/support/gateway_under_test.hpp"

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <atomic>

namespace quire::gateway {
namespace {

using namespace std::chrono_literals;
using common::v1::ChatEvent;
using test::GatewayUnderTest;
using test::HttpAnswer;
using Words = std::vector<std::string>;

/// A generation that the test paces: it waits for the gate before the first event, before the
/// others, or at its end.
struct Play {
    enum class Wait { kNever, kFirst, kMiddle, kEnd };

    std::vector<ChatEvent> events{test::started_event(), test::text_event("a"),
                                  test::text_event("b"), test::finished_event()};
    std::optional<Error> end;
    Wait wait = Wait::kNever;
    runtime::Wakeup* gate = nullptr;
    std::atomic<int> ended{0};
    std::string how_it_ended;  ///< the name of its error
};

awaitable<Result<void>> run_play(Play& play, rpc::Sink<ChatEvent>& sink) {
    if (play.wait == Play::Wait::kFirst) {
        const auto waited = co_await play.gate->wait();
        if (!waited) co_return waited.error();
    }
    for (std::size_t i = 0; i < play.events.size(); ++i) {
        const auto written = co_await sink.write(play.events[i]);
        if (!written) co_return written.error();
        if (i == 1 && play.wait == Play::Wait::kMiddle) {
            const auto waited = co_await play.gate->wait();
            if (!waited) co_return waited.error();
        }
    }
    if (play.wait == Play::Wait::kEnd) co_return co_await play.gate->wait();
    if (play.end) co_return *play.end;
    co_return Result<void>();
}

awaitable<Result<void>> perform(Play& play, rpc::Sink<ChatEvent>& sink) {
    auto ended = co_await run_play(play, sink);
    play.how_it_ended = ended ? "" : ended.error().name();
    ++play.ended;
    co_return ended;
}

/// The events of a stream in short: the text of a piece, `role`, `finish:R`, `usage`, `error:CODE`,
/// `: comment`, `[DONE]`.
std::string short_form(std::string_view event) {
    if (event.starts_with(':')) return std::string(event);
    event.remove_prefix(std::string_view("data: ").size());
    if (event == "[DONE]") return "[DONE]";
    const auto parsed = runtime::parse_json(event);
    if (!parsed) return "garbage: " + std::string(event);
    const json::object& chunk = parsed->get_object();
    if (const json::value* error = chunk.if_contains("error")) {
        return "error:" + std::string(error->at("code").as_string());
    }
    if (chunk.at("choices").as_array().empty()) return "usage";
    const json::object& choice = chunk.at("choices").at(0).as_object();
    if (!choice.at("finish_reason").is_null()) {
        return "finish:" + std::string(choice.at("finish_reason").as_string());
    }
    const json::object& delta = choice.at("delta").as_object();
    if (delta.contains("role")) return "role";
    return std::string(runtime::text_member(delta, "content"));
}

Words words_of(const HttpAnswer& answer) {
    Words words;
    std::string_view rest = answer.body;
    while (!rest.empty()) {
        const auto end = std::min(rest.find("\n\n"), rest.size() - 1);
        words.push_back(short_form(rest.substr(0, end)));
        rest.remove_prefix(std::min(end + 2, rest.size()));
    }
    return words;
}

/// The same without the comments, of which there may be more or fewer.
Words without_comments(Words words) {
    std::erase_if(words, [](const std::string& word) { return word.starts_with(':'); });
    return words;
}

std::string body_with(std::string_view members) {
    return fmt::format(R"({{"model":"m","messages":[{{"role":"user","content":"hi"}}],{}}})",
                       members);
}

class ChatStreamTest : public testing::Test {
protected:
    GatewayUnderTest& serve(GatewayConfig config = {}) {
        gateway_.emplace(std::move(config));
        gate_.emplace(gateway_->loop().get_executor());
        play_.gate = &*gate_;
        gateway_->prompts->on_chat = [this](const rpc::CallContext&,
                                            const prompts::v1::ChatCall& call,
                                            rpc::Sink<ChatEvent>& sink) {
            call_ = call;
            return perform(play_, sink);
        };
        return *gateway_;
    }
    static http::ClientRequest ask(std::string_view members = R"("stream":true)") {
        return GatewayUnderTest::request("POST", "/v1/chat/completions", body_with(members));
    }
    HttpAnswer stream(std::string_view members = R"("stream":true)") {
        return gateway_->send(ask(members));
    }
    void open_gate() {
        asio::post(gateway_->loop(), [this] { gate_->notify(); });
    }
    static GatewayConfig keeping_alive() {
        GatewayConfig config;
        config.keep_alive = 10ms;
        return config;
    }

    Play play_;
    prompts::v1::ChatCall call_;
    std::optional<GatewayUnderTest> gateway_;
    std::optional<runtime::Wakeup> gate_;
};

TEST_F(ChatStreamTest, SendsRoleTextReasonAndDone) {
    serve();

    const HttpAnswer answer = stream();

    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(words_of(answer), (Words{"role", "a", "b", "finish:stop", "[DONE]"}));
    EXPECT_FALSE(answer.is_cut);
    EXPECT_EQ(answer.body.find("usage"), std::string::npos);
    EXPECT_TRUE(call_.streamed());
}

TEST_F(ChatStreamTest, HasTheHeadersThatKeepProxiesFromBuffering) {
    serve();

    const HttpAnswer answer = stream();

    EXPECT_EQ(answer.headers.find("content-type"), "text/event-stream; charset=utf-8");
    EXPECT_EQ(answer.headers.find("cache-control"), "no-cache, no-transform");
    EXPECT_EQ(answer.headers.find("x-accel-buffering"), "no");
    EXPECT_EQ(answer.headers.find("openai-version"), "2020-10-01");
    EXPECT_TRUE(answer.headers.find("x-request-id").starts_with("req_"));
    EXPECT_TRUE(answer.headers.find("server-timing").starts_with("auth;dur="));
}

TEST_F(ChatStreamTest, EveryChunkHasTheSameIdentityDerivedFromTheRequestsId) {
    serve();

    const HttpAnswer answer = stream();

    const std::string_view id = answer.headers.find("x-request-id");
    const std::string identity = fmt::format(R"("id":"chatcmpl-{}")", id.substr(4));
    std::size_t chunks = 0;
    for (auto at = answer.body.find(identity); at != std::string::npos;
         at = answer.body.find(identity, at + 1)) {
        ++chunks;
    }
    EXPECT_EQ(chunks, 4u) << answer.body;
}

TEST_F(ChatStreamTest, SendsUsageOnlyToThoseWhoAsked) {
    serve();
    play_.events.back().mutable_finished()->mutable_usage()->set_output_tokens(2);

    const HttpAnswer asked = stream(R"("stream":true,"stream_options":{"include_usage":true})");
    const HttpAnswer not_asked =
        stream(R"("stream":true,"stream_options":{"include_usage":false})");

    EXPECT_EQ(words_of(asked), (Words{"role", "a", "b", "finish:stop", "usage", "[DONE]"}));
    EXPECT_EQ(words_of(not_asked), (Words{"role", "a", "b", "finish:stop", "[DONE]"}));
}

TEST_F(ChatStreamTest, DoesNotStreamUnlessTheBodySaysSo) {
    serve();
    for (const std::string_view members : {R"("stream":false)", R"("stream":null)", R"("user":"u")",
                                           R"("stream_options":{"include_usage":true})"}) {
        const HttpAnswer answer = stream(members);

        EXPECT_EQ(answer.headers.find("content-type"), "application/json") << members;
        EXPECT_EQ(answer.at("/choices/0/message/content"), "ab");
    }
}

TEST_F(ChatStreamTest, RefusesStreamFieldsOfAnotherType) {
    serve();
    struct Case {
        std::string_view members;
        std::string_view param;
    };
    for (const Case& each : std::vector<Case>{
             {R"("stream":"true")", "stream"},
             {R"("stream":1)", "stream"},
             {R"("stream":true,"stream_options":true)", "stream_options"},
             {R"("stream":true,"stream_options":{"include_usage":1})",
              "stream_options.include_usage"},
         }) {
        const HttpAnswer answer = stream(each.members);

        EXPECT_EQ(answer.status, 400) << each.members;
        EXPECT_EQ(answer.at("/error/param"), each.param);
    }
    EXPECT_EQ(gateway_->prompts->chat_calls, 0);
}

TEST_F(ChatStreamTest, AnErrorBeforeTheFirstEventIsAPlainStatus) {
    serve();
    play_.events.clear();
    play_.end = Error(ErrorCode::kQueueFull, "full").with_retry_after(3s);

    const HttpAnswer answer = stream();

    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(answer.code(), "queue_full");
    EXPECT_EQ(answer.headers.find("retry-after"), "3");
    EXPECT_EQ(answer.headers.find("content-type"), "application/json");
}

TEST_F(ChatStreamTest, AnErrorAfterTheFirstEventIsAnEventAndTheLast) {
    serve();
    play_.events.pop_back();
    for (const ErrorCode code :
         {ErrorCode::kStreamInterrupted, ErrorCode::kInternalError, ErrorCode::kSettleFailed}) {
        play_.end = Error(code, "line\nbreak");

        const HttpAnswer answer = stream();

        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(words_of(answer),
                  (Words{"role", "a", "b", "error:" + std::string(row_of(code).name)}));
        EXPECT_FALSE(answer.is_cut);
    }
}

TEST_F(ChatStreamTest, ASilentModelGetsACommentBeforeTheFirstEvent) {
    serve(keeping_alive());
    play_.wait = Play::Wait::kFirst;

    auto response = gateway_->begin(ask());  // the headers are there though nothing was said yet
    ASSERT_EQ(response->status(), 200);
    EXPECT_EQ(play_.ended, 0);
    open_gate();
    const HttpAnswer answer = gateway_->finish(std::move(response));

    EXPECT_EQ(answer.headers.find("content-type"), "text/event-stream; charset=utf-8");
    EXPECT_TRUE(answer.headers.find("x-request-id").starts_with("req_"));
    EXPECT_EQ(words_of(answer).front(), ": keepalive");
    EXPECT_EQ(without_comments(words_of(answer)),
              (Words{"role", "a", "b", "finish:stop", "[DONE]"}));
}

TEST_F(ChatStreamTest, AfterACommentAnErrorIsAnEvent) {
    serve(keeping_alive());
    play_.wait = Play::Wait::kFirst;
    play_.events.clear();
    play_.end = Error(ErrorCode::kUpstreamError, "down");

    auto response = gateway_->begin(ask());
    ASSERT_EQ(response->status(), 200);
    open_gate();
    const HttpAnswer answer = gateway_->finish(std::move(response));

    EXPECT_EQ(without_comments(words_of(answer)), Words{"error:upstream_error"});
    EXPECT_FALSE(answer.is_cut);
}

TEST_F(ChatStreamTest, APlainAnswerIsNotKeptAlive) {
    serve(keeping_alive());
    play_.wait = Play::Wait::kEnd;
    auto request = ask(R"("stream":false)");
    // Two intervals at least pass before the gate opens.
    asio::steady_timer timer(gateway_->loop(), 25ms);
    timer.async_wait([this](const boost::system::error_code&) { gate_->notify(); });

    const HttpAnswer answer = gateway_->send(request);

    EXPECT_EQ(answer.headers.find("content-type"), "application/json");
    EXPECT_EQ(answer.body.find("keepalive"), std::string::npos);
}

TEST_F(ChatStreamTest, TheDeadlineOfARunningStreamIsAnErrorEvent) {
    GatewayConfig config;
    config.request_deadline = 30ms;
    serve(config);
    play_.wait = Play::Wait::kMiddle;

    const HttpAnswer answer = stream();

    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(words_of(answer), (Words{"role", "a", "error:deadline_exceeded"}));
    EXPECT_FALSE(answer.is_cut);
    EXPECT_EQ(play_.how_it_ended, "client_closed_request");
}

TEST_F(ChatStreamTest, AStoppingServerEndsARunningStreamWithAnErrorEvent) {
    serve();
    play_.wait = Play::Wait::kMiddle;
    auto response = gateway_->begin(ask());

    gateway_->server->stop();
    const HttpAnswer answer = gateway_->finish(std::move(response));

    EXPECT_EQ(words_of(answer), (Words{"role", "a", "error:shutting_down"}));
    EXPECT_EQ(play_.how_it_ended, "client_closed_request");
}

TEST_F(ChatStreamTest, AClientThatLeavesCancelsTheGeneration) {
    serve();
    play_.wait = Play::Wait::kMiddle;

    gateway_->leave(gateway_->begin(ask()));

    ASSERT_TRUE(test::wait_until([this] { return play_.ended == 1; }));
    EXPECT_EQ(play_.how_it_ended, "client_closed_request");
    EXPECT_TRUE(test::wait_until([this] { return gateway_->server->active_exchanges() == 0; }));
}

}  // namespace
}  // namespace quire::gateway
