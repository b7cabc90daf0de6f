#include "tests/contract/wire_server_fixture.hpp"
#include "tests/support/resident.hpp"

namespace quire::test {
namespace {

using conformance::ConformanceClient;
using conformance::v1::CountRequest;
using conformance::v1::EchoRequest;
using conformance::v1::EchoResponse;
using conformance::v1::Number;
using std::chrono::milliseconds;

constexpr char kPing = 6;

/// What a peer may do wrong, and what the wire makes of it. The server answers the next caller all
/// the same.
class WireServerTest : public WireServerFixture {};

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

TEST_F(WireServerTest, NoCallRunsThatAFloodOfResetsEndsAsRefused) {
    rpc::WireLimits limits;
    limits.resets_burst = 2;
    fake_.on_echo = [](const rpc::CallContext&,
                       const EchoRequest& request) -> awaitable<Result<EchoResponse>> {
        EchoResponse response;
        response.set_text(request.text());
        co_return response;
    };
    serve_fake(Wire::kUnixSocket, limits);
    RawHttp2 peer = raw_peer();
    peer.greet();
    const std::string message(5, '\0');
    std::string flood;
    for (std::uint32_t id = 1; id < 9; id += 2) {
        flood += RawHttp2::headers(id, RawHttp2::call(kEcho));
        flood += RawHttp2::frame(3, 0, id, std::string("\0\0\0\x08", 4));
    }
    flood += RawHttp2::headers(9, RawHttp2::call(kEcho)) + RawHttp2::frame(0, 1, 9, message);
    peer.send(flood);

    // The last that was looked at is the one whose reset was one too many.
    EXPECT_TRUE(
        peer.receives(RawHttp2::frame(7, 0, 0, std::string("\0\0\0\5\0\0\0\0", 8)), kInTime));
    EXPECT_TRUE(peer.ends_within(kInTime));
    EXPECT_EQ(fake_.echo_calls, 0);
    expect_still_serving();
}

TEST_F(WireServerTest, AFloodOfResetsThatGoesOnEndsRunningCallsToo) {
    rpc::WireLimits limits;
    limits.resets_burst = 5;
    limits.resets_per_second = 1;
    serve(limits);
    RawHttp2 peer = raw_peer();
    peer.greet();
    std::string calls = RawHttp2::headers(1, RawHttp2::call(kEcho));  // waits for its message
    for (std::uint32_t id = 3; id < 60; id += 2) {
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

}  // namespace
}  // namespace quire::test
