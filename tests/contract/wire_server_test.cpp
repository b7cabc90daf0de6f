#include "quire/conformance/v1/conformance_fake.hpp"
#include "quire/conformance/v1/conformance_rpc.hpp"
#include "tests/contract/conformance_suite.hpp"
#include "tests/support/raw_http2.hpp"
#include "tests/support/resident.hpp"
#include "tests/support/wired.hpp"

namespace quire::test {
namespace {

using conformance::ConformanceClient;
using conformance::v1::CountRequest;
using conformance::v1::EchoRequest;
using conformance::v1::EchoResponse;
using conformance::v1::Number;
using std::chrono::milliseconds;

constexpr milliseconds kInTime{3000};
constexpr char kPing = 6;
const std::string kEcho = "/quire.conformance.v1.Conformance/Echo";

/// What a peer may do wrong, and what the wire makes of it. The server answers the next caller all
/// the same.
class WireServerTest : public testing::Test {
protected:
    void serve(rpc::WireLimits limits = {}, Wire wire = Wire::kUnixSocket) {
        wired_.emplace(conformance::conformance_methods(*service_), wire, limits);
    }
    void serve_fake(Wire wire = Wire::kUnixSocket) {
        wired_.emplace(conformance::conformance_methods(fake_), wire);
    }
    RawHttp2 raw_peer() { return RawHttp2(wired_->address.unix_path); }

    Result<EchoResponse> echo(const EchoRequest& request, const rpc::CallContext& ctx = {}) {
        ConformanceClient client(wired_->channel);
        return wired_->run(client.echo(ctx, request));
    }
    void expect_still_serving() {
        EchoRequest request;
        request.set_text("still there");
        const auto answer = echo(request);
        ASSERT_TRUE(answer) << answer.error().message();
        EXPECT_EQ(answer->text(), "still there");
    }

    std::shared_ptr<conformance::Conformance> service_ = make_conformance_service();
    conformance::FakeConformance fake_;
    std::optional<Wired> wired_;
};

// Limits ----------------------------------------------------------------------------------------

TEST_F(WireServerTest, AMessageOverTheLimitIsRefusedBeforeItIsSent) {
    rpc::WireLimits limits;
    limits.message_bytes_max = 1000;
    serve(limits);
    EchoRequest request;
    request.set_text(std::string(2000, 'x'));

    const auto answer = echo(request);

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kRequestTooLarge);
    EXPECT_NE(answer.error().message().find("1000"), std::string::npos);
}

TEST_F(WireServerTest, AServerRefusesAMessageByItsLengthAlone) {
    serve();
    RawHttp2 peer = raw_peer();
    peer.greet();
    peer.send(RawHttp2::headers(1, RawHttp2::call(kEcho)));
    peer.send(RawHttp2::frame(0, 0, 1, std::string("\x00\x7F\xFF\xFF\xFF", 5)));

    // The end of a call whose message never came whole, and a reset, since more of it may come.
    EXPECT_TRUE(peer.receives(std::string("\x01\x05\x00\x00\x00\x01", 6), kInTime));
    EXPECT_TRUE(peer.receives(RawHttp2::frame(3, 0, 1, std::string(4, '\0')), kInTime));
    expect_still_serving();
}

TEST_F(WireServerTest, AFloodOfPingsEndsTheConnection) {
    serve();
    RawHttp2 peer = raw_peer();
    peer.greet();
    std::string pings;
    for (int i = 0; i < 1000; ++i) pings += RawHttp2::frame(kPing, 0, 0, "12345678");
    peer.send(pings);

    EXPECT_TRUE(peer.ends_within(kInTime));
    expect_still_serving();
}

TEST_F(WireServerTest, AFewPingsAreAnswered) {
    serve();
    RawHttp2 peer = raw_peer();
    peer.greet();
    peer.send(RawHttp2::frame(kPing, 0, 0, "12345678"));

    EXPECT_TRUE(peer.receives(RawHttp2::frame(kPing, 1, 0, "12345678"), kInTime));
}

TEST_F(WireServerTest, AFloodOfSettingsEndsTheConnection) {
    serve();
    RawHttp2 peer = raw_peer();
    peer.greet();
    std::string settings;
    for (int i = 0; i < 100; ++i) settings += RawHttp2::frame(4, 0, 0, "");
    peer.send(settings);

    EXPECT_TRUE(peer.ends_within(kInTime));
    expect_still_serving();
}

TEST_F(WireServerTest, AFloodOfResetCallsEndsTheConnection) {
    rpc::WireLimits limits;
    limits.resets_burst = 50;
    limits.resets_per_second = 1;
    serve(limits);
    RawHttp2 peer = raw_peer();
    peer.greet();
    std::string calls;
    for (std::uint32_t id = 1; id < 400; id += 2) {
        calls += RawHttp2::headers(id, RawHttp2::call(kEcho));
        calls += RawHttp2::frame(3, 0, id, std::string("\0\0\0\x08", 4));
    }
    peer.send(calls);

    EXPECT_TRUE(peer.ends_within(kInTime));
    expect_still_serving();
}

TEST_F(WireServerTest, AHeaderListOverTheLimitEndsTheCallOnly) {
    rpc::WireLimits limits;
    limits.header_list_bytes_max = 2000;
    serve(limits);
    RawHttp2 peer = raw_peer();
    peer.greet();
    rpc::HeaderList many = RawHttp2::call(kEcho);
    for (int i = 0; i < 30; ++i) many.emplace_back("x-padding", std::string(100, 'x'));
    peer.send(RawHttp2::headers(1, many));

    const std::string reset = RawHttp2::frame(3, 0, 1, "").substr(3);
    EXPECT_TRUE(peer.receives(reset, kInTime));
    peer.send(RawHttp2::frame(kPing, 0, 0, "12345678"));
    EXPECT_TRUE(peer.receives(RawHttp2::frame(kPing, 1, 0, "12345678"), kInTime));
    expect_still_serving();
}

/// An entry of the table of headers, and a byte for each time that it comes again.
std::string references_to_one_entry(std::size_t value_bytes, std::size_t times) {
    const std::size_t rest = value_bytes - 127;
    std::string block = RawHttp2::block(RawHttp2::call(kEcho));
    block += std::string("\x40\x01x\x7F", 4);
    block += static_cast<char>(0x80 | (rest & 0x7F));
    block += static_cast<char>(rest >> 7);
    block += std::string(value_bytes, 'x');
    return block + std::string(times, '\xBE');
}

TEST_F(WireServerTest, ReferencesToOneLargeHeaderAreRefusedWithoutTakingTheirMemory) {
    constexpr std::size_t kCalls = 50;
    serve();
    RawHttp2 peer = raw_peer();
    peer.greet();
    const std::string bomb = references_to_one_entry(4000, 12'000);  // 48 MB each, if it were kept
    const double before = resident_kib("self");
    for (std::uint32_t i = 0; i < kCalls; ++i) {
        peer.send(RawHttp2::frame(1, 4, 1 + 2 * i, bomb));
    }

    const std::string last_reset = RawHttp2::frame(3, 0, 1 + 2 * (kCalls - 1), "").substr(3);
    EXPECT_TRUE(peer.receives(last_reset, kInTime));
    EXPECT_LT(resident_kib("self") - before, 64 * 1024);
    EXPECT_EQ(wired_->server->running_calls(), 0U);
    expect_still_serving();
}

TEST_F(WireServerTest, AFloodOfContinuationsEndsTheConnection) {
    serve();
    RawHttp2 peer = raw_peer();
    peer.greet();
    std::string flood = RawHttp2::frame(1, 0, 1, RawHttp2::block(RawHttp2::call(kEcho)));
    for (int i = 0; i < 1000; ++i) flood += RawHttp2::frame(9, 0, 1, "");
    peer.send(flood);

    EXPECT_TRUE(peer.ends_within(kInTime));
    expect_still_serving();
}

// Peers that are no peers -------------------------------------------------------------------------

TEST_F(WireServerTest, AFrameOverTheLimitEndsTheConnection) {
    serve();
    RawHttp2 peer = raw_peer();
    peer.greet();
    peer.send(RawHttp2::frame(0, 0, 1, std::string(20'000, 'x')));

    EXPECT_TRUE(peer.ends_within(kInTime));
    expect_still_serving();
}

TEST_F(WireServerTest, WhatIsNoHttp2EndsTheConnection) {
    serve();
    RawHttp2 peer = raw_peer();
    peer.send("GET / HTTP/1.1\r\nhost: quire\r\n\r\n");

    EXPECT_TRUE(peer.ends_within(kInTime));
    expect_still_serving();
}

TEST_F(WireServerTest, APeerThatNeverBeginsIsLeft) {
    rpc::WireLimits limits;
    limits.handshake = milliseconds(50);
    serve(limits);
    RawHttp2 peer = raw_peer();
    peer.send("PRI * HT");

    EXPECT_TRUE(peer.ends_within(kInTime));
}

TEST_F(WireServerTest, ASilentPeerWithAnOpenCallIsAskedAndThenLeft) {
    rpc::WireLimits limits;
    limits.handshake = limits.ping_after = limits.ping_timeout = milliseconds(50);
    serve(limits);
    RawHttp2 peer = raw_peer();
    peer.greet();
    peer.send(RawHttp2::headers(1, RawHttp2::call(kEcho)));

    EXPECT_TRUE(peer.ends_within(kInTime));
    EXPECT_NE(peer.received.find(RawHttp2::frame(kPing, 0, 0, std::string(8, '\0'))),
              std::string::npos);
    EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 0; }));
}

TEST_F(WireServerTest, AnUnknownMethodIsNamedWithTheOneThatIsMeant) {
    serve();
    RawHttp2 peer = raw_peer();
    peer.greet();
    peer.send(RawHttp2::headers(1, RawHttp2::call("/quire.conformance.v1.Conformance/Eco"), true));
    rpc::HeaderList json = RawHttp2::call(kEcho);
    json.back().second = "application/json";
    peer.send(RawHttp2::headers(3, json, true));

    // Trailers only, twice: END_STREAM and END_HEADERS on streams 1 and 3.
    EXPECT_TRUE(peer.receives(std::string("\x01\x05\x00\x00\x00\x01", 6), kInTime));
    EXPECT_TRUE(peer.receives(std::string("\x01\x05\x00\x00\x00\x03", 6), kInTime));
    expect_still_serving();
}

// Who may -----------------------------------------------------------------------------------------

TEST_F(WireServerTest, AMethodWithAScopeAsksThePrincipal) {
    serve();
    ConformanceClient client(wired_->channel);
    struct None final : rpc::Sink<Number> {
        awaitable<Result<void>> write(const Number& /*message*/) override {
            co_return Result<void>();
        }
    } sink;
    const CountRequest request;
    rpc::CallContext ctx;

    const auto without = wired_->run(client.count(ctx, request, sink));
    ctx.principal.scopes = {"inference"};
    const auto with = wired_->run(client.count(ctx, request, sink));

    ASSERT_FALSE(without);
    EXPECT_EQ(without.error().code(), ErrorCode::kPermissionDenied);
    EXPECT_EQ(without.error().detail("scope"), "inference");
    EXPECT_TRUE(with);
}

TEST_F(WireServerTest, TheOperatorIsBelievedOnAUnixSocketOnly) {
    rpc::CallContext ctx;
    ctx.principal.is_operator = true;
    const EchoRequest request;

    serve();
    const auto by_unix = echo(request, ctx);
    serve({}, Wire::kLoopback);
    const auto by_tcp = echo(request, ctx);

    EXPECT_TRUE(by_unix);
    ASSERT_FALSE(by_tcp);
    EXPECT_EQ(by_tcp.error().code(), ErrorCode::kPermissionDenied);
}

TEST_F(WireServerTest, OnlyLoopbackIsListenedOn) {
    serve();
    rpc::WireAddress everywhere;
    everywhere.tcp = {"0.0.0.0", 0};

    const auto listening = wired_->server->listen(everywhere);

    ASSERT_FALSE(listening);
    EXPECT_EQ(listening.error().code(), ErrorCode::kInvalidValue);
    EXPECT_NE(listening.error().message().find("loopback"), std::string::npos);
}

// Calls that do not end well ----------------------------------------------------------------------

TEST_F(WireServerTest, ACallThatIsRefusedEarlySaysWhyHoweverLargeItsMessage) {
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

TEST_F(WireServerTest, ASessionThatCannotOpenSaysWhyAtItsFirstExchange) {
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

TEST_F(WireServerTest, TheServerEndsACallAtItsDeadline) {
    serve();
    RawHttp2 peer = raw_peer();  // a caller that does not look at the clock itself
    peer.greet();
    rpc::HeaderList call = RawHttp2::call(kEcho);
    call.emplace_back("grpc-timeout", "50m");
    peer.send(RawHttp2::headers(1, call));  // and never sends its message

    EXPECT_TRUE(peer.receives(std::string("\x01\x05\x00\x00\x00\x01", 6), kInTime));
    EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 0; }));
}

TEST_F(WireServerTest, ACallerStopsWaitingAtItsDeadline) {
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

TEST_F(WireServerTest, AnExceptionInAMethodIsAnInternalErrorWithoutItsText) {
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

TEST_F(WireServerTest, NobodyThereIsOverloaded) {
    serve();
    wired_->server->stop();

    const auto answer = echo(EchoRequest());

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kOverloaded);
    EXPECT_NE(answer.error().message().find(wired_->address.unix_path), std::string::npos);
}

TEST_F(WireServerTest, ACallThatCrossesAGoawayIsMadeAgainElsewhere) {
    serve();
    for (int i = 0; i < 50; ++i) {
        expect_still_serving();
        wired_->server->begin_drain();  // the connection takes no more calls

        expect_still_serving();
    }
}

TEST_F(WireServerTest, ADrainLetsTheRunningCallsEnd) {
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

TEST_F(WireServerTest, CallsThatAreDroppedAtOnceLeaveNothingBehind) {
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

TEST_F(WireServerTest, AServerThatEndsWhileItsCallerPushesIsReset) {
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

TEST_F(WireServerTest, AStoppedServerEndsItsCalls) {
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

TEST_F(WireServerTest, AStreamStopsItsProducerAtOneWindow) {
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
