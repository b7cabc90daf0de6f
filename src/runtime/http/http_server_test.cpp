// The life of a connection, seen through our own client: keeping, leaving, deadlines, slow readers,
// draining and stopping. What goes over it byte for byte is in connection_test.cpp.
#include "runtime/http/http_server.hpp"

#include "base/clock.hpp"
#include "runtime/blocking_pool.hpp"
#include "runtime/http/http_client.hpp"
#include "runtime/http/problem.hpp"
#include "runtime/task_group.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

namespace quire::http {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kPieces = 128;

/// What a handler saw, for the test's thread.
struct Sight {
    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
    std::atomic<CancelReason> reason{CancelReason::kNone};
    std::atomic<std::size_t> bytes_written{0};
    std::atomic<SteadyTime> end_time{SteadyTime()};
};

void note_end(Exchange& exchange, Sight& sight) {
    sight.reason = exchange.cancel_reason();
    sight.end_time = std::chrono::steady_clock::now();
    ++sight.ended;
}

awaitable<void> respond(Exchange& exchange, std::string body) {
    Response response;
    response.body = std::move(body);
    const auto sent = co_await exchange.respond(std::move(response));
    ignore(sent, "the test looks at what arrives");
}

/// Answers which connection this is, on which loop, and how long the body was.
awaitable<void> describe(Exchange& exchange) {
    const auto body = co_await exchange.read_body(16 * 1024 * 1024);
    const std::size_t size = body ? body->size() : 0;
    std::string text = fmt::format("{} {} {}", fmt::ptr(&exchange),
                                   runtime::EventLoops::current().value_or(99), size);
    co_await respond(exchange, std::move(text));
}

/// Waits until it is cancelled, and then answers with the reason when `answers` says so.
awaitable<void> wait_for_end(Exchange& exchange, Sight& sight, bool answers) {
    ++sight.begun;
    const auto slept = co_await runtime::sleep_for(1h);
    EXPECT_FALSE(slept);
    if (answers) {
        co_await exchange.accept_cancellation();
        const auto slept_again = co_await runtime::sleep_for(1ms);
        EXPECT_TRUE(slept_again);
        const bool is_deadline = exchange.cancel_reason() == CancelReason::kDeadline;
        std::string text = is_deadline ? "deadline" : "shutdown";
        co_await respond(exchange, std::move(text));
    }
    note_end(exchange, sight);
}

awaitable<void> wait_for_deadline(Exchange& exchange, Sight& sight, bool answers) {
    exchange.set_deadline(std::chrono::steady_clock::now() + 10ms);
    co_await wait_for_end(exchange, sight, answers);
}

/// Passes its deadline where nothing can be cancelled, and answers all the same which connection
/// this is.
awaitable<void> answer_late(Exchange& exchange, runtime::BlockingPool& pool) {
    exchange.set_deadline(std::chrono::steady_clock::now() + 10ms);
    auto doze = []() -> Result<void> {
        std::this_thread::sleep_for(50ms);
        return {};
    };
    const auto done = co_await pool.run(doze);
    EXPECT_TRUE(done);
    EXPECT_EQ(exchange.cancel_reason(), CancelReason::kDeadline);
    std::string text = fmt::format("{}", fmt::ptr(&exchange));
    co_await respond(exchange, std::move(text));
}

/// Writes as fast as the peer takes it.
awaitable<void> pour(Exchange& exchange, Sight& sight) {
    ++sight.begun;
    const auto begun = co_await exchange.begin_stream(Response());
    EXPECT_TRUE(begun);
    const std::string piece(kPiece, 'x');
    for (std::size_t i = 0; i < kPieces; ++i) {
        const auto written = co_await exchange.write(piece);
        if (!written) break;
        sight.bytes_written += piece.size();
    }
    const auto ended = co_await exchange.finish_stream();
    ignore(ended, "the test looks at what arrives");
    note_end(exchange, sight);
}

/// The same until it is cancelled, and then tells the peer how it ended.
awaitable<void> pour_and_part(Exchange& exchange, Sight& sight) {
    ++sight.begun;
    const auto begun = co_await exchange.begin_stream(Response());
    EXPECT_TRUE(begun);
    const std::string piece(kPiece, 'x');
    bool goes_on = true;
    while (goes_on) {
        const auto written = co_await exchange.write(piece);
        goes_on = written.has_value();
    }
    co_await exchange.accept_cancellation();
    const auto told = co_await exchange.write("an error event");
    ignore(told, "the peer reads nothing");
    const auto ended = co_await exchange.finish_stream();
    ignore(ended, "the peer reads nothing");
}

enum class Ending { kCut, kForgotten, kThrown };

awaitable<void> break_stream(Exchange& exchange, Ending ending) {
    const auto begun = co_await exchange.begin_stream(Response());
    EXPECT_TRUE(begun);
    const auto written = co_await exchange.write("half");
    EXPECT_TRUE(written);
    if (ending == Ending::kCut) exchange.cut_stream();
    if (ending == Ending::kThrown) throw std::runtime_error("a bug in a handler");
}

struct Fetched {
    std::string body;
    std::string connection;  ///< the header
};

awaitable<Result<Fetched>> fetch_closing(Client& client, const Target& target,
                                         const ClientRequest& request) {
    QUIRE_CO_TRY(const auto response, client.send(target, request));
    Fetched answer;
    answer.connection = response->headers().find("connection");
    QUIRE_CO_TRY(answer.body, read_all(*response, 64 * 1024 * 1024));
    co_return answer;
}

awaitable<void> fetch_until_cancelled(Client& client, const Target& target,
                                      const ClientRequest& request,
                                      std::atomic<bool>& is_cancelled) {
    const auto answer = co_await fetch_closing(client, target, request);
    is_cancelled = !answer && answer.error().code() == ErrorCode::kCancelled;
}

/// Over TCP or a Unix socket, by the parameter.
class HttpServer : public testing::TestWithParam<std::string_view> {
protected:
    ~HttpServer() override {
        if (server_) server_->stop();
    }

    void serve(Handler handler, ServerLimits limits = {}) {
        server_.emplace(
            loops_, "test", limits, std::move(handler),
            [](const Error& error, std::string_view /*target*/) { return problem(error, ""); });
        target_.url = {false, "127.0.0.1", 0, ""};
        if (GetParam() == "Unix") target_.unix_path = folder_.path() / "test.sock";
        const auto listening = server_->listen({{"127.0.0.1", 0}, target_.unix_path});
        ASSERT_TRUE(listening);
        target_.url.port = server_->port();
    }
    Result<Fetched> get(std::size_t loop = 0, std::string body = "") {
        ClientRequest request;
        request.body = std::move(body);
        return test::run_on(loops_.loop(loop), fetch_closing(client_, target_, request));
    }
    /// An answer whose body is not read yet. It must die on its loop: `leave`.
    std::unique_ptr<ClientResponse> begin() {
        auto response = test::run_on(loops_.loop(0), client_.send(target_, ClientRequest()));
        EXPECT_TRUE(response);
        return *std::move(response);
    }
    void leave(std::unique_ptr<ClientResponse> response) {
        auto destroy = [&response]() -> awaitable<bool> {
            response.reset();
            co_return true;
        };
        test::run_on(loops_.loop(0), destroy());
    }
    bool has_begun(int count = 1) {
        return test::wait_until([&] { return sight_.begun == count; });
    }
    bool has_ended() {
        return test::wait_until([&] { return sight_.ended > 0; });
    }

    test::TemporaryFolder folder_;
    Sight sight_;
    runtime::EventLoops loops_{2};
    Client client_{loops_};
    Target target_;
    std::optional<Server> server_;
};

INSTANTIATE_TEST_SUITE_P(Over, HttpServer, testing::Values("Tcp", "Unix"),
                         [](const auto& over) { return std::string(over.param); });

TEST_P(HttpServer, KeepsAConnectionForTheNextRequest) {
    serve(describe);

    const auto first = get();
    ASSERT_TRUE(first);
    for (int i = 0; i < 5; ++i) {
        const auto next = get();

        ASSERT_TRUE(next);
        EXPECT_EQ(next->body, first->body);
    }
}

TEST_P(HttpServer, SpreadsConnectionsOverItsLoops) {
    serve(describe);

    std::set<std::string> loops;
    for (int i = 0; i < 2; ++i) {
        const auto answer = get(static_cast<std::size_t>(i));
        ASSERT_TRUE(answer);
        loops.insert(answer->body.substr(answer->body.find(' ')));
    }

    EXPECT_EQ(loops, (std::set<std::string>{" 0 0", " 1 0"}));
}

TEST_P(HttpServer, TakesAndGivesMoreThanTheSocketHolds) {
    serve([this](Exchange& exchange) {
        if (exchange.head().path == "/pour") return pour(exchange, sight_);
        return describe(exchange);
    });
    ClientRequest request;
    request.path = "/pour";

    const auto sent = get(0, std::string(8'000'000, 'x'));
    const auto got = test::run_on(loops_.loop(0), fetch_closing(client_, target_, request));

    ASSERT_TRUE(sent);
    EXPECT_TRUE(sent->body.ends_with(" 8000000"));
    ASSERT_TRUE(got);
    EXPECT_EQ(got->body, std::string(kPiece * kPieces, 'x'));
}

TEST_P(HttpServer, CancelsTheHandlerOfAClientThatLeavesAStream) {
    serve([this](Exchange& exchange) { return pour(exchange, sight_); });
    auto response = begin();

    const SteadyTime left = std::chrono::steady_clock::now();
    leave(std::move(response));

    ASSERT_TRUE(has_ended());
    EXPECT_EQ(sight_.reason.load(), CancelReason::kClientGone);
    EXPECT_LT(sight_.end_time.load() - left, 100ms);
    EXPECT_LT(sight_.bytes_written, kPiece * kPieces);
}

TEST_P(HttpServer, CancelsTheHandlerOfAClientThatLeavesBeforeTheAnswer) {
    serve([this](Exchange& exchange) { return wait_for_end(exchange, sight_, false); });
    const ClientRequest request;
    runtime::TaskGroup tasks;
    std::atomic<bool> is_cancelled{false};
    tasks.spawn(loops_.loop(0).get_executor(), "client",
                fetch_until_cancelled(client_, target_, request, is_cancelled));
    ASSERT_TRUE(has_begun());

    const SteadyTime left = std::chrono::steady_clock::now();
    tasks.cancel();
    tasks.join_blocking();

    EXPECT_TRUE(is_cancelled);
    ASSERT_TRUE(has_ended());
    EXPECT_EQ(sight_.reason.load(), CancelReason::kClientGone);
    EXPECT_LT(sight_.end_time.load() - left, 100ms);
    EXPECT_TRUE(test::wait_until([&] { return server_->active_exchanges() == 0; }));
}

TEST_P(HttpServer, CancelsAHandlerAtItsDeadlineWhichMayStillAnswer) {
    serve([this](Exchange& exchange) { return wait_for_deadline(exchange, sight_, true); });

    const auto first = get();
    const auto second = get();

    ASSERT_TRUE(first);
    EXPECT_EQ(first->body, "deadline");
    ASSERT_TRUE(second);
    EXPECT_EQ(second->body, "deadline");
    EXPECT_EQ(sight_.reason.load(), CancelReason::kDeadline);
}

TEST_P(HttpServer, ADeadlineThatNobodyNoticedEndsNoOtherRequest) {
    runtime::BlockingPool pool("doze", 1, 1);
    int count = 0;
    serve([&](Exchange& exchange) {
        if (++count == 1) return answer_late(exchange, pool);
        return describe(exchange);
    });

    const auto late = get();
    const auto next = get();

    ASSERT_TRUE(late && next);
    EXPECT_TRUE(next->body.starts_with(late->body + ' ')) << "another connection: " << next->body;
}

TEST_P(HttpServer, ClosesWhenAHandlerDoesNotAnswer) {
    serve([this](Exchange& exchange) { return wait_for_deadline(exchange, sight_, false); });

    const auto answer = get();

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kUpstreamError);
}

TEST_P(HttpServer, ASlowReaderHoldsTheWriterBack) {
    serve([this](Exchange& exchange) { return pour(exchange, sight_); });
    auto response = begin();

    // The sockets between hold some hundred KiB; what is above stays with the writer.
    const auto is_far_ahead = [&] { return sight_.bytes_written > kPiece * kPieces - 1; };
    EXPECT_FALSE(test::wait_until(is_far_ahead, 100ms));
    EXPECT_GT(sight_.bytes_written, 0u);

    const auto body = test::run_on(loops_.loop(0), read_all(*response, kPiece * kPieces));
    ASSERT_TRUE(body);
    EXPECT_EQ(body->size(), kPiece * kPieces);
    leave(std::move(response));
}

TEST_P(HttpServer, ClosesWhenTheReaderStalls) {
    ServerLimits limits;
    limits.write_stall = 20ms;
    serve([this](Exchange& exchange) { return pour(exchange, sight_); }, limits);

    auto response = begin();

    EXPECT_TRUE(has_ended());
    EXPECT_EQ(sight_.reason.load(), CancelReason::kClientGone);
    const auto body = test::run_on(loops_.loop(0), read_all(*response, kPiece * kPieces));
    EXPECT_FALSE(body);
    leave(std::move(response));
}

TEST_P(HttpServer, StoppingWaitsForNoReaderThatStalls) {
    serve([this](Exchange& exchange) { return pour_and_part(exchange, sight_); });
    auto response = begin();
    ASSERT_TRUE(has_begun());
    const SteadyTime from = std::chrono::steady_clock::now();

    server_->stop();

    EXPECT_LT(std::chrono::steady_clock::now() - from, ServerLimits().write_stall / 2);
    leave(std::move(response));
}

TEST_P(HttpServer, AStreamWithoutItsEndLooksCut) {
    Ending ending = Ending::kCut;
    serve([&ending](Exchange& exchange) { return break_stream(exchange, ending); });
    for (const Ending each : {Ending::kCut, Ending::kForgotten, Ending::kThrown}) {
        ending = each;
        auto response = begin();

        const auto body = test::run_on(loops_.loop(0), read_all(*response, 100));

        ASSERT_FALSE(body) << static_cast<int>(each);
        EXPECT_EQ(body.error().code(), ErrorCode::kUpstreamError);
        leave(std::move(response));
    }
}

TEST_P(HttpServer, AnswersWithConnectionCloseWhileItDrains) {
    serve(describe);
    const auto before = get();
    ASSERT_TRUE(before);
    EXPECT_EQ(before->connection, "");

    server_->begin_drain();
    const auto after = get();

    ASSERT_TRUE(after);
    EXPECT_EQ(after->connection, "close");
}

TEST_P(HttpServer, DrainingLetsWhatRunsGoOn) {
    serve([this](Exchange& exchange) { return pour(exchange, sight_); });
    auto response = begin();
    EXPECT_EQ(server_->active_exchanges(), 1u);

    server_->begin_drain();
    const auto body = test::run_on(loops_.loop(0), read_all(*response, kPiece * kPieces));

    ASSERT_TRUE(body);
    EXPECT_EQ(body->size(), kPiece * kPieces);
    leave(std::move(response));
}

TEST_P(HttpServer, StopCancelsAndJoinsWhatRuns) {
    serve([this](Exchange& exchange) { return wait_for_end(exchange, sight_, true); });
    const ClientRequest request;
    runtime::TaskGroup tasks;
    std::atomic<bool> is_cancelled{false};
    for (std::size_t i = 0; i < 4; ++i) {
        tasks.spawn(loops_.loop(i % 2).get_executor(), "client",
                    fetch_until_cancelled(client_, target_, request, is_cancelled));
    }
    ASSERT_TRUE(has_begun(4));

    server_->stop();

    EXPECT_EQ(sight_.ended, 4);
    EXPECT_EQ(sight_.reason.load(), CancelReason::kShutdown);
    EXPECT_EQ(server_->active_exchanges(), 0u);
    tasks.join_blocking();
    EXPECT_FALSE(get());
}

TEST_P(HttpServer, ItsIdleClientsMayDieAfterTheLoopsHaveStopped) {
    serve(describe);
    ASSERT_TRUE(get(0));
    ASSERT_TRUE(get(1));

    server_->stop();
    server_.reset();
    loops_.stop();
}

TEST_P(HttpServer, TurnsConnectionsAboveItsLimitAway) {
    ServerLimits limits;
    limits.connections_max = 1;
    serve(describe, limits);
    ASSERT_TRUE(get(0));

    const auto refused = get(1);

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kUpstreamError);
    EXPECT_TRUE(get(0));
}

}  // namespace
}  // namespace quire::http
