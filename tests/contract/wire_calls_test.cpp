#include "tests/contract/wire_server_fixture.hpp"

#include <future>

namespace quire::test {
namespace {

using conformance::ConformanceClient;
using conformance::v1::CountRequest;
using conformance::v1::EchoRequest;
using conformance::v1::EchoResponse;
using conformance::v1::Number;
using std::chrono::milliseconds;

/// Calls that do not end well, on either side.
class WireCallsTest : public WireServerFixture {};

TEST_F(WireCallsTest, ACallThatIsRefusedEarlySaysWhyHoweverLargeItsMessage) {
    fake_.on_echo = [](const rpc::CallContext&,
                       const EchoRequest&) -> awaitable<Result<EchoResponse>> {
        co_return EchoResponse();
    };
    serve_fake(Wire::kLoopback);
    rpc::CallContext ctx;
    ctx.principal.is_operator = true;
    EchoRequest request;
    request.set_text(std::string(8 * 1024 * 1024, 'x'));

    const auto answer = echo(request, ctx);

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kPermissionDenied) << answer.error().message();
    EXPECT_EQ(fake_.echo_calls, 0);
}

TEST_F(WireCallsTest, ASessionThatCannotOpenSaysWhyAtItsFirstExchange) {
    using Opened = Result<std::unique_ptr<rpc::Session<Number, Number>>>;
    fake_.on_sum = [](const rpc::CallContext&) -> awaitable<Opened> {
        co_return Error(ErrorCode::kReviewUnavailable, "not now");
    };
    serve_fake();
    ConformanceClient client(wired_->channel);
    const rpc::CallContext ctx;
    auto work = [&]() -> awaitable<Result<Number>> {
        QUIRE_CO_TRY(const auto session, client.sum(ctx));
        const Number push;
        auto answer = co_await session->exchange(push);
        session->cancel();
        co_return answer;
    };

    const auto answer = wired_->run(work());

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kReviewUnavailable);
}

TEST_F(WireCallsTest, TheServerEndsACallAtItsDeadline) {
    serve();
    RawHttp2 peer = raw_peer();  // a caller that does not look at the clock itself
    peer.greet();
    rpc::HeaderList call = RawHttp2::call(kEcho);
    call.emplace_back("grpc-timeout", "50m");
    peer.send(RawHttp2::headers(1, call));  // and never sends its message

    EXPECT_TRUE(peer.receives(std::string("\x01\x05\x00\x00\x00\x01", 6), kInTime));
    EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 0; }));
}

TEST_F(WireCallsTest, ACallerStopsWaitingAtItsDeadline) {
    serve();
    EchoRequest request;
    request.set_delay_ms(60'000);
    rpc::CallContext ctx;
    ctx.deadline = SystemClock().steady() + milliseconds(50);

    const auto answer = echo(request, ctx);

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kDeadlineExceeded);
    EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 0; }));
}

TEST_F(WireCallsTest, AnExceptionInAMethodIsAnInternalErrorWithoutItsText) {
    fake_.on_echo = [](const rpc::CallContext&,
                       const EchoRequest&) -> awaitable<Result<EchoResponse>> {
        throw std::runtime_error("a secret");
        co_return EchoResponse();
    };
    serve_fake();

    const auto answer = echo(EchoRequest());

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kInternalError);
    EXPECT_EQ(answer.error().message().find("secret"), std::string::npos);
}

TEST_F(WireCallsTest, NobodyThereIsOverloaded) {
    serve();
    wired_->server->stop();

    const auto answer = echo(EchoRequest());

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kOverloaded);
    EXPECT_NE(answer.error().message().find(wired_->address.unix_path), std::string::npos);
}

TEST_F(WireCallsTest, ACallThatCrossesAGoawayIsMadeAgainElsewhere) {
    serve();
    for (int i = 0; i < 50; ++i) {
        expect_still_serving();
        wired_->server->begin_drain();  // the connection takes no more calls

        expect_still_serving();
    }
}

TEST_F(WireCallsTest, ADrainLetsTheRunningCallsEnd) {
    serve();
    ConformanceClient client(wired_->channel);
    const rpc::CallContext ctx;
    EchoRequest slow;
    slow.set_delay_ms(200);
    auto work = [&]() -> awaitable<Result<EchoResponse>> {
        auto answer = co_await client.echo(ctx, slow);
        co_return answer;
    };
    std::thread drain([&] {
        EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 1; }));
        wired_->server->begin_drain();
    });

    const auto answer = wired_->run(work());
    drain.join();

    EXPECT_TRUE(answer);
}

TEST_F(WireCallsTest, CallsThatAreDroppedAtOnceLeaveNothingBehind) {
    rpc::WireLimits limits;
    limits.calls_max = 10;
    serve(limits);
    expect_still_serving();
    const rpc::CallContext ctx;
    auto start_and_drop = [&]() -> awaitable<Result<void>> {
        const auto started = co_await wired_->channel->start(ctx, kEcho);
        if (!started) co_return started.error();
        co_return Result<void>();
    };

    for (int i = 0; i < 50; ++i) {
        const auto dropped = wired_->run(start_and_drop());
        ASSERT_TRUE(dropped) << i << ": " << dropped.error().message();
    }

    expect_still_serving();
}

TEST_F(WireCallsTest, AServerThatEndsWhileItsCallerPushesIsReset) {
    TemporaryFolder folder;
    rpc::WireAddress address;
    address.unix_path = folder.path() / "raw.sock";
    std::promise<void> listening;
    bool is_reset = false;
    std::thread server([&] {
        RawHttp2 raw = RawHttp2::serving(address.unix_path, [&] { listening.set_value(); });
        raw.send(RawHttp2::frame(4, 0, 0, ""));
        raw.receives(kEcho.substr(0, 3), milliseconds(100));
        raw.send(RawHttp2::headers(1,
                                   {{":status", "200"},
                                    {"content-type", "application/grpc"},
                                    {"grpc-status", "14"},
                                    {"grpc-message", "leaving"}},
                                   true));
        is_reset = raw.receives(RawHttp2::frame(3, 0, 1, std::string(4, '\0')), kInTime);
    });
    listening.get_future().wait();
    SystemClock clock;
    runtime::EventLoops loops(1);
    rpc::WireChannel channel(loops, address, clock);
    const rpc::CallContext ctx;
    auto work = [&]() -> awaitable<Result<bool>> {
        QUIRE_CO_TRY(const auto stream, channel.start(ctx, kEcho));
        EchoResponse response;
        auto answer = co_await stream->read(response);
        co_return answer;
    };

    const auto answer = run_on(loops.loop(0), work());
    server.join();
    channel.close();

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kOverloaded);
    EXPECT_EQ(answer.error().message(), "leaving");
    EXPECT_TRUE(is_reset);
}

TEST_F(WireCallsTest, AStoppedServerEndsItsCalls) {
    serve();
    EchoRequest slow;
    slow.set_delay_ms(60'000);
    std::thread stop([&] {
        EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 1; }));
        wired_->server->stop();
    });

    const auto answer = echo(slow);
    stop.join();

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kOverloaded);
}

TEST_F(WireCallsTest, AStreamStopsItsProducerAtOneWindow) {
    std::atomic<int> produced{0};
    fake_.on_count = [&](const rpc::CallContext&, const CountRequest&,
                         rpc::Sink<Number>& sink) -> awaitable<Result<void>> {
        Number number;
        for (int i = 1; i <= 1'000'000; ++i) {
            number.set_value(i);
            const auto written = co_await sink.write(number);
            if (!written) co_return written.error();
            produced = i;
        }
        co_return Result<void>();
    };
    serve_fake();
    struct Waits final : rpc::Sink<Number> {
        awaitable<Result<void>> write(const Number& /*message*/) override {
            const auto slept = co_await runtime::sleep_for(milliseconds(300));
            ignore(slept, "nobody cancels the test");
            co_return Error(ErrorCode::kRequestTooLarge, "enough");
        }
    } sink;
    ConformanceClient client(wired_->channel);
    rpc::CallContext ctx;
    ctx.principal.scopes = {"inference"};

    const auto ended = wired_->run(client.count(ctx, CountRequest(), sink));

    ASSERT_FALSE(ended);
    // A window and what waits unsent, in messages of seven bytes and more: not a million.
    EXPECT_LT(produced.load(), 20'000);
    EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 0; }));
}

}  // namespace
}  // namespace quire::test
