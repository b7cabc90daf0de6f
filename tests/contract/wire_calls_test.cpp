#include "tests/contract/wire_server_fixture.hpp"

#include <boost/asio/post.hpp>

#include <atomic>
#include <future>
#include <list>

namespace quire::test {
namespace {

using conformance::ConformanceClient;
using conformance::v1::CountRequest;
using conformance::v1::EchoRequest;
using conformance::v1::EchoResponse;
using conformance::v1::Number;
using std::chrono::milliseconds;

/// What a server that leaves sends first, and the ping that asks whether it has arrived.
const std::string kGoaway = RawHttp2::frame(7, 0, 0, std::string("\x7F\xFF\xFF\xFF\0\0\0\0", 8));
const std::string kNoticePing = "leaving!";

/// What says that `call` is the last one that is taken; below 256.
std::string last_taken(std::uint32_t call) {
    std::string payload(8, '\0');
    payload[3] = static_cast<char>(call);
    return RawHttp2::frame(7, 0, 0, payload);
}

/// Servers that take over an address one after the other.
class Successors {
public:
    Successors(conformance::Conformance& service, rpc::WireAddress address)
        : address_(std::move(address)) {
        registry_.add(conformance::conformance_methods(service));
    }
    ~Successors() {
        for (rpc::WireServer& server : servers_) server.stop();
    }
    Successors(const Successors&) = delete;
    Successors& operator=(const Successors&) = delete;

    rpc::WireServer& listen() {
        rpc::WireServer& server = servers_.emplace_back(loops, registry_, clock_, rng_);
        const auto listening = server.listen(address_);
        EXPECT_TRUE(listening) << listening.error().message();
        return server;
    }

    runtime::EventLoops loops{2};

private:
    rpc::WireAddress address_;
    SystemClock clock_;
    SystemRng rng_;
    rpc::MethodRegistry registry_;
    std::list<rpc::WireServer> servers_;
};

/// Calls that do not end well, on either side.
class WireCallsTest : public WireServerFixture {
protected:
    /// A service that answers at once.
    void serve_answers() {
        fake_.on_echo = [this](const rpc::CallContext&,
                               const EchoRequest&) -> awaitable<Result<EchoResponse>> {
            ++answered_;
            co_return EchoResponse();
        };
        serve_fake();
    }
    /// With a call that runs until its message comes.
    RawHttp2 peer_with_call(std::uint32_t id) {
        RawHttp2 peer = raw_peer();
        peer.greet();
        peer.send(RawHttp2::headers(id, RawHttp2::call(kEcho)));
        EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 1; }));
        return peer;
    }

    std::atomic<int> answered_{0};
};

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
    Successors successors(*service_, wired_->address);
    rpc::WireServer* leaving = wired_->server.get();
    for (int i = 0; i < 50; ++i) {
        expect_still_serving();
        rpc::WireServer& next = successors.listen();
        leaving
            ->begin_drain();  // the connection takes no more calls, and its address leads to `next`

        expect_still_serving();
        leaving = &next;
    }
}

TEST_F(WireCallsTest, ACallerThatConnectsAgainToADrainingServerFindsNobody) {
    serve_answers();
    ASSERT_TRUE(echo(EchoRequest()));

    wired_->server->begin_drain();

    // One call may have been on its way.
    EXPECT_TRUE(wait_until([&] { return !echo(EchoRequest()); }));
    const int before = answered_;
    const auto late = echo(EchoRequest());
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code(), ErrorCode::kOverloaded);
    EXPECT_EQ(answered_, before);
    EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 0; }));
}

TEST_F(WireCallsTest, ACallOnItsWayIntoADrainIsTakenAndALaterOneIsNot) {
    serve_answers();
    RawHttp2 peer = peer_with_call(1);

    wired_->server->begin_drain();
    ASSERT_TRUE(peer.receives(kGoaway, kInTime));
    peer.send(RawHttp2::headers(3, RawHttp2::call(kEcho)));
    EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 2; }));
    peer.send(RawHttp2::frame(6, 1, 0, kNoticePing));
    peer.send(RawHttp2::headers(5, RawHttp2::call(kEcho)));

    EXPECT_TRUE(peer.receives(last_taken(3), kInTime));
    EXPECT_EQ(wired_->server->running_calls(), 2U);
    for (const std::uint32_t id : {1U, 3U}) {
        peer.send(RawHttp2::frame(0, 1, id, std::string(5, '\0')));
    }
    EXPECT_TRUE(peer.ends_within(kInTime));
    EXPECT_EQ(answered_, 2);
}

TEST_F(WireCallsTest, ADrainedServerLeavesTheClosingToItsPeer) {
    rpc::WireLimits limits;
    limits.linger = kInTime * 2;
    serve(limits);
    RawHttp2 peer = raw_peer();
    peer.greet();
    ASSERT_TRUE(peer.receives(RawHttp2::frame(4, 1, 0, ""), kInTime));
    wired_->server->begin_drain();
    ASSERT_TRUE(peer.receives(RawHttp2::frame(6, 0, 0, kNoticePing), kInTime));

    // As gRPC's client writes them: the answer first, then what waited before the notice came.
    peer.send(RawHttp2::frame(6, 1, 0, kNoticePing));
    EXPECT_TRUE(peer.receives(last_taken(0), kInTime));
    peer.send(RawHttp2::headers(1, RawHttp2::call(kEcho)));

    EXPECT_FALSE(peer.ends_within(milliseconds(200)));
    EXPECT_EQ(wired_->server->running_calls(), 0U);
}

TEST_F(WireCallsTest, APeerThatBreaksTheProtocolDuringADrainIsLeft) {
    serve_answers();
    RawHttp2 peer = peer_with_call(1);
    wired_->server->begin_drain();
    ASSERT_TRUE(peer.receives(RawHttp2::frame(6, 0, 0, kNoticePing), kInTime));
    peer.send(RawHttp2::frame(6, 1, 0, kNoticePing));

    peer.send(RawHttp2::frame(8, 0, 0, std::string(4, '\0')));  // a window that grows by nothing

    EXPECT_TRUE(peer.ends_within(kInTime));
    EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 0; }));
}

TEST_F(WireCallsTest, ACallRunsUntilItsAnswerHasLeft) {
    serve_answers();
    RawHttp2 peer = raw_peer();
    peer.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    peer.send(RawHttp2::frame(4, 0, 0, std::string("\0\4\0\0\0\0", 6)));  // no window at first
    peer.send(RawHttp2::headers(1, RawHttp2::call(kEcho)));
    peer.send(RawHttp2::frame(0, 1, 1, std::string(5, '\0')));
    ASSERT_TRUE(wait_until([&] { return answered_ == 1; }));

    wired_->server->begin_drain();

    EXPECT_FALSE(
        wait_until([&] { return wired_->server->running_calls() == 0; }, milliseconds(200)));
    peer.send(RawHttp2::frame(8, 0, 1, std::string("\0\1\0\0", 4)));
    EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 0; }));
    EXPECT_TRUE(peer.receives(RawHttp2::frame(0, 0, 1, std::string(5, '\0')), kInTime));
}

TEST_F(WireCallsTest, OnlyTheAnswerToItsOwnPingTellsThatADrainIsKnown) {
    serve_fake();
    RawHttp2 peer = peer_with_call(1);

    wired_->server->begin_drain();
    const std::string ping = RawHttp2::frame(6, 0, 0, kNoticePing);
    ASSERT_TRUE(peer.receives(ping, kInTime));
    // A peer that answers the ping has read what came before it.
    EXPECT_LT(peer.received.find(kGoaway), peer.received.find(ping));
    peer.send(RawHttp2::frame(6, 1, 0, std::string(8, '\0')));
    peer.send(RawHttp2::headers(3, RawHttp2::call(kEcho)));

    EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 2; }));
}

TEST_F(WireCallsTest, AConnectionThatIsAcceptedTooLateForADrainIsTurnedAway) {
    serve();
    Successors successors(*service_, wired_->address);
    rpc::WireServer& server = successors.listen();
    // Every other connection waits for the second loop, and that is busy until the drain has begun.
    std::promise<void> busy;
    std::promise<void> drained;
    asio::post(successors.loops.loop(1), [&] {
        busy.set_value();
        drained.get_future().wait();
    });
    busy.get_future().wait();
    const std::string greeting = RawHttp2::frame(4, 1, 0, "");
    RawHttp2 first = raw_peer();
    RawHttp2 late = raw_peer();
    RawHttp2 third = raw_peer();
    third.greet();
    const bool is_third_served = third.receives(greeting, kInTime);

    server.begin_drain();
    drained.set_value();
    late.greet();
    late.send(RawHttp2::headers(1, RawHttp2::call(kEcho)));

    EXPECT_TRUE(is_third_served);
    EXPECT_TRUE(late.receives(last_taken(0), kInTime));
    EXPECT_EQ(server.running_calls(), 0U);
    EXPECT_TRUE(late.ends_within(kInTime));
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
