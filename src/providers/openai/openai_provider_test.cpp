// The provider against a server that answers what the test says, over real connections.
#include "providers/openai/openai_provider.hpp"

#include "runtime/http/http_server.hpp"
#include "runtime/json.hpp"
#include "tests/support/run_coroutine.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>

namespace quire::providers {
namespace {

using namespace std::chrono_literals;

constexpr const char* kKey = "K3Y-0123456789";

/// What the server answers, and what it saw.
struct Script {
    enum class End { kFinish, kCut, kWait };

    int status = 200;
    std::string type = "text/event-stream";
    std::vector<std::pair<std::string, std::string>> headers;
    std::vector<std::string> pieces;
    End end = End::kFinish;

    std::string method;
    std::string path;
    http::Headers request;
    std::string body;
    std::atomic<int> requests{0};
    std::atomic<int> left{0};  ///< handlers whose client went away
};

std::string event(std::string_view data) { return fmt::format("data: {}\n\n", data); }
std::string content(std::string_view text) {
    return event(fmt::format(R"({{"choices":[{{"index":0,"delta":{{"content":"{}"}}}}]}})", text));
}
std::string finish() {
    return event(R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})");
}

awaitable<Result<void>> play(http::Exchange& exchange, Script& script) {
    http::Response head;
    head.status = script.status;
    head.content_type = script.type;
    head.headers = script.headers;
    const auto begun = co_await exchange.begin_stream(std::move(head));
    if (!begun) co_return begun.error();
    for (const std::string& piece : script.pieces) {
        const auto written = co_await exchange.write(piece);
        if (!written) co_return written.error();
        // One after the other, so that they arrive as they are.
        const auto slept = co_await runtime::sleep_for(1ms);
        if (!slept) co_return slept.error();
    }
    if (script.end == Script::End::kWait) co_return co_await runtime::sleep_for(1h);
    if (script.end == Script::End::kFinish) co_return co_await exchange.finish_stream();
    exchange.cut_stream();
    co_return Result<void>();
}

awaitable<void> serve(http::Exchange& exchange, Script& script) {
    const http::RequestHead& head = exchange.head();
    script.method = head.method;
    script.path = head.path;
    script.request = *head.headers;
    const auto body = co_await exchange.read_body(1'000'000);
    if (body) script.body = *body;
    ++script.requests;
    const auto played = co_await play(exchange, script);
    if (!played) ++script.left;
}

class Deltas final : public DeltaSink {
public:
    void on_headers() override { ++headers; }
    awaitable<Result<void>> write(const common::v1::Delta& delta) override {
        if (refusal) co_return *refusal;
        text += delta.text();
        co_return Result<void>();
    }

    std::atomic<int> headers{0};
    std::string text;
    std::optional<Error> refusal;
};

class OpenAiProviderTest : public testing::Test {
protected:
    OpenAiProviderTest() {
        EXPECT_TRUE(server_.listen({{"127.0.0.1", 0}, ""}));
        provider_.emplace(client_, http::Url{false, "127.0.0.1", server_.port(), "/v1"},
                          Secret(kKey));
        chat_.set_model("writer");
        chat_.add_messages()->add_parts()->set_text("hi");
        ctx_.trace.trace_id.fill(7);
        ctx_.trace.tracestate = "a=b";
    }
    ~OpenAiProviderTest() override {
        provider_->stop();
        server_.stop();
    }

    Result<Completion> generate() {
        const ProviderRequest request{chat_, "vendor/tiny", "", 99, timeouts_};
        return test::run_on(loops_.loop(0), provider_->generate(ctx_, request, deltas_));
    }
    /// The error of an attempt, "no error" when there is none.
    std::string_view failure() {
        const auto completion = generate();
        return completion ? "no error" : completion.error().name();
    }

    runtime::EventLoops loops_{1};
    Script script_;
    http::Server server_{loops_, "upstream", http::ServerLimits(),
                         [this](http::Exchange& exchange) { return serve(exchange, script_); },
                         [](const Error&, std::string_view) { return http::Response(); }};
    http::Client client_{loops_};
    std::optional<OpenAiProvider> provider_;
    common::v1::ChatRequest chat_;
    rpc::CallContext ctx_;
    UpstreamTimeouts timeouts_;
    Deltas deltas_;
};

TEST_F(OpenAiProviderTest, AsksAsOpenAisClientsDo) {
    script_.pieces = {finish(), event("[DONE]")};

    ASSERT_TRUE(generate());

    EXPECT_EQ(script_.method, "POST");
    EXPECT_EQ(script_.path, "/v1/chat/completions");
    EXPECT_EQ(script_.request.find("authorization"), std::string("Bearer ") + kKey);
    EXPECT_EQ(script_.request.find("content-type"), "application/json");
    EXPECT_EQ(script_.request.find("traceparent"), ctx_.trace.traceparent());
    EXPECT_EQ(script_.request.find("tracestate"), "a=b");
    const auto body = runtime::parse_json(script_.body);
    ASSERT_TRUE(body);
    EXPECT_EQ(body->at("model"), "vendor/tiny");
    EXPECT_EQ(body->at("max_tokens"), 99);
    EXPECT_EQ(body->at("stream"), true);
}

TEST_F(OpenAiProviderTest, SendsNoKeyWhereThereIsNone) {
    provider_->stop();
    provider_.emplace(client_, http::Url{false, "127.0.0.1", server_.port(), ""}, Secret());
    script_.pieces = {finish()};

    ASSERT_TRUE(generate());

    EXPECT_FALSE(script_.request.contains("authorization"));
    EXPECT_EQ(script_.path, "/chat/completions");
}

TEST_F(OpenAiProviderTest, ReadsAStreamWhereverItIsSplit) {
    const std::string whole = ": hello\n\n" + content("Grö") + "\r\n" + content("ße") + finish() +
                              event(R"({"choices":[],"usage":{"prompt_tokens":3,)"
                                    R"("completion_tokens":2}})") +
                              event("[DONE]");
    for (const std::size_t size : {std::size_t{1000}, std::size_t{50}, std::size_t{7}}) {
        script_.pieces.clear();
        for (std::size_t at = 0; at < whole.size(); at += size) {
            script_.pieces.push_back(whole.substr(at, size));
        }
        deltas_.text.clear();

        const auto completion = generate();

        ASSERT_TRUE(completion) << completion.error().message();
        EXPECT_EQ(deltas_.text, "Größe") << size;
        EXPECT_EQ(completion->finish_reason, "stop");
        ASSERT_TRUE(completion->usage);
        EXPECT_EQ(completion->usage->output_tokens(), 2);
    }
}

TEST_F(OpenAiProviderTest, UnderstandsAPlainAnswerAllTheSame) {
    script_.type = "application/json; charset=utf-8";
    script_.pieces = {R"({"choices":[{"index":0,"message":{"content":"ok"},)",
                      R"("finish_reason":"length"}]})"};

    const auto completion = generate();

    ASSERT_TRUE(completion);
    EXPECT_EQ(deltas_.text, "ok");
    EXPECT_EQ(completion->finish_reason, "length");
    EXPECT_EQ(deltas_.headers, 1);
}

TEST_F(OpenAiProviderTest, IgnoresWhatComesAfterTheEnd) {
    script_.pieces = {content("a") + finish() + event("[DONE]") + content("late"),
                      content("later")};

    ASSERT_TRUE(generate());

    EXPECT_EQ(deltas_.text, "a");
}

TEST_F(OpenAiProviderTest, AStreamIsWholeWithItsReasonEvenWithoutDone) {
    script_.pieces = {content("a"), finish()};

    EXPECT_TRUE(generate());
}

TEST_F(OpenAiProviderTest, AStreamThatBreaksAfterItsReasonIsWholeAndKeepsItsCount) {
    timeouts_.between_tokens = 200ms;
    const std::string count =
        event(R"({"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}})");
    for (const Script::End end : {Script::End::kCut, Script::End::kWait}) {
        script_.pieces = {content("a"), finish(), count};
        script_.end = end;

        const auto counted = generate();

        ASSERT_TRUE(counted) << counted.error().message();
        EXPECT_EQ(counted->finish_reason, "stop");
        ASSERT_TRUE(counted->usage);
        EXPECT_EQ(counted->usage->output_tokens(), 3);
    }
    for (const std::string& unreadable :
         {event("garbage"), event(R"({"error":{"message":"no"}})"), event("[DONE] "),
          "data: " + std::string(1'100'000, 'x')}) {
        script_.pieces = {content("a"), finish(), count, unreadable};
        script_.end = Script::End::kFinish;

        const auto counted = generate();

        ASSERT_TRUE(counted) << unreadable.substr(0, 20);
        EXPECT_TRUE(counted->usage) << unreadable.substr(0, 20);
    }
    script_.pieces = {content("a"), finish()};
    script_.end = Script::End::kCut;
    const auto uncounted = generate();
    ASSERT_TRUE(uncounted) << uncounted.error().message();
    EXPECT_FALSE(uncounted->usage);
}

TEST_F(OpenAiProviderTest, AStreamWithoutItsReasonIsAnError) {
    for (const Script::End end : {Script::End::kFinish, Script::End::kCut}) {
        script_.pieces = {content("a")};
        script_.end = end;

        EXPECT_EQ(failure(), "upstream_error");
    }
    script_.pieces = {content("a"), event("[DONE]")};
    EXPECT_EQ(failure(), "upstream_error");
}

TEST_F(OpenAiProviderTest, RefusesWhatIsNoAnswer) {
    struct Case {
        std::string type;
        std::string piece;
    };
    for (const Case& each : std::vector<Case>{
             {"text/event-stream", event("garbage")},
             {"text/event-stream", event(R"({"error":{"message":"no"}})")},
             {"text/event-stream", "data: " + std::string(1'100'000, 'x')},
             {"application/json", "garbage"},
             {"text/html", "<html>"},
             {"", "x"},
         }) {
        script_.type = each.type;
        script_.pieces = {each.piece};

        EXPECT_EQ(failure(), "upstream_error") << each.type << each.piece.substr(0, 20);
    }
}

TEST_F(OpenAiProviderTest, SaysWhatARefusalMeans) {
    struct Case {
        int status;
        std::string_view name;
    };
    for (const Case& each : std::vector<Case>{{500, "upstream_error"},
                                              {401, "upstream_auth_failed"},
                                              {429, "overloaded"},
                                              {404, "model_not_found"},
                                              {307, "upstream_error"}}) {
        script_.status = each.status;
        script_.type = "application/json";
        script_.pieces = {R"({"error":{"message":"m"}})"};

        EXPECT_EQ(failure(), each.name);
    }
    EXPECT_EQ(deltas_.headers, 0);
}

/// Some quote the whole prompt.
TEST_F(OpenAiProviderTest, ALongRefusalIsTheClientsFaultAllTheSame) {
    script_.status = 400;
    script_.type = "application/json";
    for (const std::size_t length : {std::size_t{100'000}, std::size_t{3'000'000}}) {
        script_.pieces = {
            fmt::format(R"({{"error":{{"message":"{}"}}}})", std::string(length, 'x'))};

        EXPECT_EQ(failure(), "invalid_value") << length;
    }
    script_.end = Script::End::kCut;
    script_.pieces = {R"({"error":{"mess)"};
    EXPECT_EQ(failure(), "invalid_value");
}

TEST_F(OpenAiProviderTest, AProviderThatDoesNotEndItsAnswerIsLeft) {
    script_.pieces = {content("a") + finish() + event("[DONE]")};
    script_.end = Script::End::kWait;

    ASSERT_TRUE(generate());

    EXPECT_TRUE(test::wait_until([&] { return script_.left == 1; }));
}

TEST_F(OpenAiProviderTest, KeepsTheHintOfACrowdedProvider) {
    script_.status = 429;
    script_.headers = {{"retry-after", "9"}};

    const auto completion = generate();

    ASSERT_FALSE(completion);
    EXPECT_EQ(completion.error().retry_after(), 9s);
}

TEST_F(OpenAiProviderTest, RelaysNeitherKeyNorHost) {
    const std::string echo =
        fmt::format(R"({{"error":{{"message":"{} at 127.0.0.1:{}"}}}})", kKey, server_.port());
    for (const int status : {400, 404, 422, 401, 500}) {
        script_.status = status;
        script_.type = "application/json";
        script_.pieces = {echo};

        const auto completion = generate();

        ASSERT_FALSE(completion);
        EXPECT_EQ(completion.error().message().find("K3Y"), std::string::npos) << status;
        EXPECT_EQ(completion.error().message().find("127.0.0.1"), std::string::npos) << status;
    }
    script_.status = 200;
    script_.type = "text/event-stream";
    script_.pieces = {event(echo)};
    const auto completion = generate();
    ASSERT_FALSE(completion);
    EXPECT_EQ(completion.error().message().find("K3Y"), std::string::npos);
}

TEST_F(OpenAiProviderTest, TheReadersRefusalEndsTheAttemptAndTheConnection) {
    script_.pieces = {content("a"), content("b")};
    script_.end = Script::End::kWait;
    deltas_.refusal = Error(ErrorCode::kReviewUnavailable, "enough");

    EXPECT_EQ(failure(), "review_unavailable");
    EXPECT_TRUE(test::wait_until([this] { return script_.left == 1; }));
}

TEST_F(OpenAiProviderTest, CancellingClosesTheConnection) {
    script_.end = Script::End::kWait;
    const ProviderRequest request{chat_, "tiny", "", 0, timeouts_};
    std::optional<Result<Completion>> ended;
    auto call = [&]() -> awaitable<void> {
        auto completion = co_await provider_->generate(ctx_, request, deltas_);
        ended.emplace(std::move(completion));
    };
    runtime::TaskGroup task;
    task.spawn(loops_.loop(0).get_executor(), "caller", call());
    ASSERT_TRUE(test::wait_until([this] { return deltas_.headers == 1; }));

    task.cancel();
    task.join_blocking();

    ASSERT_TRUE(ended);
    ASSERT_FALSE(*ended);
    EXPECT_EQ(ended->error().code(), ErrorCode::kCancelled);
    EXPECT_TRUE(test::wait_until([this] { return script_.left == 1; }));
}

TEST_F(OpenAiProviderTest, OnlyContentCountsAsALifeSign) {
    timeouts_.first_token = 40ms;
    timeouts_.between_tokens = 40ms;
    script_.end = Script::End::kWait;
    for (const std::string& first : {std::string(), content("a")}) {
        script_.pieces.assign(1, first);
        script_.pieces.insert(script_.pieces.end(), 200, ": still here\n\n");

        EXPECT_EQ(failure(), "upstream_timeout") << first;
    }
}

TEST_F(OpenAiProviderTest, KeepsTheConnectionForTheNextRequest) {
    script_.pieces = {finish(), event("[DONE]")};
    ASSERT_TRUE(generate());
    const std::size_t connections = server_.active_exchanges();

    ASSERT_TRUE(generate());

    EXPECT_EQ(script_.requests, 2);
    EXPECT_LE(connections, 1u);
}

TEST_F(OpenAiProviderTest, ListsTheFirstNames) {
    script_.type = "application/json";
    script_.pieces = {R"({"data":[{"id":"a"},{"name":"x"},5,{"id":""},{"id":"b/c"},{"id":"d"}]})"};

    const auto names = test::run_on(loops_.loop(0), provider_->list_models(2));

    ASSERT_TRUE(names);
    EXPECT_EQ(*names, (std::vector<std::string>{"a", "b/c"}));
    EXPECT_EQ(script_.method, "GET");
    EXPECT_EQ(script_.path, "/v1/models");
    EXPECT_EQ(script_.request.find("authorization"), std::string("Bearer ") + kKey);
}

TEST_F(OpenAiProviderTest, SaysWhyThereAreNoNames) {
    script_.type = "application/json";
    script_.pieces = {"[]"};

    EXPECT_FALSE(test::run_on(loops_.loop(0), provider_->list_models(2)));
    script_.status = 401;
    EXPECT_FALSE(test::run_on(loops_.loop(0), provider_->list_models(2)));
}

}  // namespace
}  // namespace quire::providers
