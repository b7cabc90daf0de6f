#include "runtime/rpc/wire/wire_client.hpp"

#include "quire/conformance/v1/conformance_fake.hpp"
#include "quire/conformance/v1/conformance_rpc.hpp"
#include "runtime/task_group.hpp"
#include "tests/support/raw_http2.hpp"
#include "tests/support/wired.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace quire::rpc {
namespace {

using asio::ip::tcp;
using conformance::ConformanceClient;
using conformance::v1::EchoRequest;
using conformance::v1::EchoResponse;
using std::chrono::seconds;
using test::RawHttp2;
using EchoResult = Result<EchoResponse>;

constexpr seconds kInTime{10};

/// A deadline for what would else wait for ever.
SteadyTime in_time() { return SystemClock().steady() + kInTime; }

// Answers -----------------------------------------------------------------------------------------

/// Calls whose answer is written by hand.
class WireAnswer : public testing::Test {
protected:
    /// What a call becomes that is answered with `frames`.
    EchoResult answered_with(const std::string& frames) {
        const test::TemporaryFolder folder;
        WireAddress address;
        address.unix_path = folder.path() / "raw.sock";
        std::promise<void> listening;
        std::thread server([&] {
            RawHttp2 raw = RawHttp2::serving(address.unix_path, [&] { listening.set_value(); });
            raw.send(RawHttp2::frame(4, 0, 0, ""));
            raw.receives(std::string("\x01\x04\0\0\0\x01", 6), kInTime);  // the call's headers
            raw.send(frames);
            raw.ends_within(kInTime);
        });
        listening.get_future().wait();
        const auto channel = std::make_shared<WireChannel>(loops_, address, clock_);
        ConformanceClient client(channel);
        CallContext ctx;
        ctx.deadline = in_time();
        const EchoRequest request;

        auto answer = test::run_on(loops_.loop(0), client.echo(ctx, request));

        channel->close();
        server.join();
        return answer;
    }
    static std::string head(std::string status, std::string type) {
        return RawHttp2::headers(
            1, {{":status", std::move(status)}, {"content-type", std::move(type)}});
    }
    static std::string data(std::string_view bytes, bool ends_stream = false) {
        return RawHttp2::frame(0, ends_stream ? 1 : 0, 1, bytes);
    }
    static std::string good_end() { return RawHttp2::headers(1, {{"grpc-status", "0"}}, true); }

    SystemClock clock_;
    runtime::EventLoops loops_{1};
};

TEST_F(WireAnswer, APageInsteadOfGrpcIsTakenByItsHttpStatus) {
    struct Case {
        const char* status;
        const char* type;
        ErrorCode code;
    };
    for (const Case& page : {Case{"502", "text/html", ErrorCode::kOverloaded},
                             Case{"503", "application/grpc", ErrorCode::kOverloaded},
                             Case{"504", "text/html", ErrorCode::kOverloaded},
                             Case{"429", "application/json", ErrorCode::kOverloaded},
                             Case{"404", "text/html", ErrorCode::kInternalError},
                             Case{"200", "text/html", ErrorCode::kInternalError}}) {
        const auto answer =
            answered_with(head(page.status, page.type) + data("<html>no gRPC</html>", true));

        ASSERT_FALSE(answer) << page.status;
        EXPECT_EQ(answer.error().code(), page.code) << page.status << page.type;
        EXPECT_NE(answer.error().message().find(page.status), std::string::npos)
            << answer.error().message();
    }
}

TEST_F(WireAnswer, APageIsNotReadToItsEnd) {
    const auto answer = answered_with(head("503", "text/html"));

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kOverloaded);
}

TEST_F(WireAnswer, AGrpcStatusSaysMoreThanTheHttpStatus) {
    const auto answer =
        answered_with(RawHttp2::headers(1, {{":status", "503"}, {"grpc-status", "4"}}, true));

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kDeadlineExceeded);
}

TEST_F(WireAnswer, AnInterimAnswerIsNotYetTheAnswer) {
    const auto answer =
        answered_with(RawHttp2::headers(1, {{":status", "103"}}) + head("200", "application/grpc") +
                      data(std::string(5, '\0')) + good_end());

    EXPECT_TRUE(answer) << answer.error().message();
}

TEST_F(WireAnswer, BrokenFramingOfAServerIsNoFaultOfItsCaller) {
    const std::string compressed("\x01\0\0\0\x01x", 6);
    const std::string cut("\0\0\0\0\x05x", 6);
    for (const std::string& message : {compressed, cut}) {
        const auto answer = answered_with(head("200", "application/grpc") + data(message, true));

        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code(), ErrorCode::kInternalError) << answer.error().message();
    }
}

// Connections -------------------------------------------------------------------------------------

/// An address of loopback where nobody answers: the one connection that may wait there does.
class Mute {
public:
    Mute() : acceptor_(loop_), first_(loop_) {
        const tcp::endpoint anywhere(asio::ip::address_v4::loopback(), 0);
        acceptor_.open(tcp::v4());
        acceptor_.bind(anywhere);
        acceptor_.listen(0);
        first_.connect(acceptor_.local_endpoint());
    }
    WireAddress address() const {
        WireAddress address;
        address.tcp = {"127.0.0.1", acceptor_.local_endpoint().port()};
        return address;
    }

private:
    asio::io_context loop_;
    tcp::acceptor acceptor_;
    tcp::socket first_;
};

class WireConnection : public testing::Test {
protected:
    WireConnection() {
        fake_.on_echo = [](const CallContext&,
                           const EchoRequest& request) -> awaitable<EchoResult> {
            const auto slept =
                co_await runtime::sleep_for(std::chrono::milliseconds(request.delay_ms()));
            if (!slept) co_return slept.error();
            co_return EchoResponse();
        };
    }
    static awaitable<EchoResult> echo(std::shared_ptr<WireChannel> channel, CallContext ctx,
                                      int delay_ms = 0) {
        ConformanceClient client(channel);
        EchoRequest request;
        request.set_delay_ms(delay_ms);
        auto answer = co_await client.echo(ctx, request);
        co_return answer;
    }
    static awaitable<void> echo_into(std::shared_ptr<WireChannel> channel,
                                     std::promise<EchoResult>& answer, int delay_ms) {
        const CallContext ctx;
        auto echoed = co_await echo(channel, ctx, delay_ms);
        answer.set_value(std::move(echoed));
    }

    conformance::FakeConformance fake_;
    SystemClock clock_;
    SystemRng rng_;
};

TEST_F(WireConnection, CallsGoOnWhenItsStreamsAreUsedUp) {
    WireLimits limits;
    limits.first_stream_id = std::numeric_limits<std::int32_t>::max() - 2;
    test::Wired wired(conformance::conformance_methods(fake_), test::Wire::kUnixSocket, limits);
    for (int i = 0; i < 10; ++i) {
        const auto answer = wired.run(echo(wired.channel, {}));

        ASSERT_TRUE(answer) << i << ": " << answer.error().message();
    }
}

TEST_F(WireConnection, AClosedChannelHasEndedTheCallsOfEarlierConnectionsToo) {
    test::Wired wired(conformance::conformance_methods(fake_));
    runtime::EventLoops loops(2);
    conformance::FakeConformance elsewhere;
    std::atomic<int> answered_elsewhere{0};
    elsewhere.on_echo = [&](const CallContext&, const EchoRequest&) -> awaitable<EchoResult> {
        ++answered_elsewhere;
        co_return EchoResponse();
    };
    MethodRegistry registry;
    registry.add(conformance::conformance_methods(elsewhere));
    WireServer next(loops, registry, clock_, rng_);
    const auto channel = std::make_shared<WireChannel>(loops, wired.address, clock_);
    std::promise<EchoResult> promise;
    auto answer = promise.get_future();
    runtime::TaskGroup calls;
    calls.spawn(loops.loop(0).get_executor(), "a long call", echo_into(channel, promise, 60'000));
    ASSERT_TRUE(test::wait_until([&] { return wired.server->running_calls() == 1; }));
    ASSERT_TRUE(next.listen(wired.address));
    wired.server->begin_drain();
    ASSERT_TRUE(test::wait_until([&] {
        const auto another = test::run_on(loops.loop(0), echo(channel, {}));
        return another && answered_elsewhere > 0;
    }));

    channel->close();
    const bool has_ended = answer.wait_for(kInTime) == std::future_status::ready;
    wired.server->stop();
    calls.join_blocking();
    next.stop();

    EXPECT_TRUE(has_ended);
    EXPECT_FALSE(answer.get());
}

TEST_F(WireConnection, AnAddressThatIsNoneIsSaidToEveryCall) {
    WireAddress long_path;
    long_path.unix_path = "/tmp/" + std::string(200, 'x');
    WireAddress no_ip;
    no_ip.tcp = {"nowhere", 1};
    for (const WireAddress& address : {no_ip, long_path}) {
        runtime::EventLoops loops(1);
        const auto channel = std::make_shared<WireChannel>(loops, address, clock_);
        for (int i = 0; i < 2; ++i) {
            CallContext ctx;
            ctx.deadline = in_time();
            const auto answer = test::run_on(loops.loop(0), echo(channel, ctx));

            ASSERT_FALSE(answer);
            EXPECT_EQ(answer.error().code(), ErrorCode::kOverloaded) << address.text();
            EXPECT_NE(answer.error().message().find(address.text()), std::string::npos);
        }
        channel->close();
    }
}

TEST_F(WireConnection, ACallWaitsForItNoLongerThanItsDeadline) {
    const Mute mute;
    runtime::EventLoops loops(1);
    const auto channel = std::make_shared<WireChannel>(loops, mute.address(), clock_);
    CallContext ctx;
    ctx.deadline = SystemClock().steady() + std::chrono::milliseconds(50);

    const auto answer = test::run_on(loops.loop(0), echo(channel, ctx));
    channel->close();

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kDeadlineExceeded) << answer.error().message();
}

TEST_F(WireConnection, ACancelledCallWaitsForItNoLonger) {
    const Mute mute;
    WireLimits limits;
    limits.connect = 10 * kInTime;
    runtime::EventLoops loops(1);
    const auto channel = std::make_shared<WireChannel>(loops, mute.address(), clock_, limits);
    std::promise<EchoResult> promise;
    auto answer = promise.get_future();
    runtime::TaskGroup calls;
    calls.spawn(loops.loop(0).get_executor(), "a call", echo_into(channel, promise, 0));

    calls.cancel();
    const bool has_ended = answer.wait_for(kInTime) == std::future_status::ready;
    channel->close();
    calls.join_blocking();

    EXPECT_TRUE(has_ended);
    const auto ended = answer.get();
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kCancelled);
}

}  // namespace
}  // namespace quire::rpc
