#include "runtime/http/http_client.hpp"
#include "runtime/http/http_server.hpp"
#include "tests/support/run_coroutine.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>

namespace quire::http {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kComment = ": still here\n\n";

Response stream_head() {
    Response head;
    head.content_type = "text/event-stream";
    return head;
}

/// Is silent until the client has seen enough, then ends the stream that the comments began.
awaitable<void> stay_silent(Exchange& exchange, std::atomic<bool>& is_enough) {
    exchange.keep_alive(2ms, stream_head(), std::string(kComment));
    while (!is_enough) {
        const auto slept = co_await runtime::sleep_for(1ms);
        if (!slept) co_return;
    }
    EXPECT_TRUE(exchange.is_answered());
    const auto written = co_await exchange.write("data: done\n\n");
    EXPECT_TRUE(written);
    const auto ended = co_await exchange.finish_stream();
    EXPECT_TRUE(ended);
}

/// Answers at once, and goes on for as long as several comments would take.
awaitable<void> answer_whole(Exchange& exchange) {
    exchange.keep_alive(1ms, stream_head(), std::string(kComment));
    Response response;
    response.body = "whole";
    const auto sent = co_await exchange.respond(std::move(response));
    EXPECT_TRUE(sent);
    const auto slept = co_await runtime::sleep_for(20ms);
    ignore(slept, "the end of the test may cut it short");
}

struct Commented {
    std::string content_type;
    std::string body;
};

awaitable<Result<Commented>> fetch_commented(Client& client, const Target& target,
                                             const ClientRequest& request,
                                             std::atomic<bool>& is_enough) {
    QUIRE_CO_TRY(const auto response, client.send(target, request));
    Commented answer;
    answer.content_type = response->headers().find("content-type");
    while (true) {
        QUIRE_CO_TRY(const std::string_view bytes, response->read_some());
        if (bytes.empty()) co_return answer;
        answer.body += bytes;
        if (answer.body.size() >= 3 * kComment.size()) is_enough = true;
    }
}

class KeepAliveComment : public testing::Test {
protected:
    ~KeepAliveComment() override { server_->stop(); }

    Result<Commented> get(Handler handler) {
        if (!server_) {
            server_.emplace(loops_, "test", ServerLimits(), std::move(handler),
                            [](const Error&, std::string_view) { return Response(); });
            const auto listening = server_->listen({{"127.0.0.1", 0}, ""});
            EXPECT_TRUE(listening);
        }
        const Target target{{false, "127.0.0.1", server_->port(), ""}, ""};
        return test::run_on(loops_.loop(0),
                            fetch_commented(client_, target, ClientRequest(), is_enough_));
    }

    std::atomic<bool> is_enough_{false};
    runtime::EventLoops loops_{2};
    Client client_{loops_};
    std::optional<Server> server_;
};

TEST_F(KeepAliveComment, BeginsTheStreamOfASilentHandler) {
    const auto answer =
        get([this](Exchange& exchange) { return stay_silent(exchange, is_enough_); });

    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->content_type, "text/event-stream");
    EXPECT_TRUE(answer->body.starts_with(std::string(kComment).append(kComment)));
    EXPECT_TRUE(answer->body.ends_with(fmt::format("{}data: done\n\n", kComment)));
}

TEST_F(KeepAliveComment, DoesNotFollowAWholeAnswer) {
    for (int i = 0; i < 3; ++i) {
        const auto answer = get(answer_whole);

        ASSERT_TRUE(answer) << answer.error().message();
        EXPECT_EQ(answer->content_type, "");
        EXPECT_EQ(answer->body, "whole");
    }
}

}  // namespace
}  // namespace quire::http
