#include "runtime/rpc/wire/wire_client.hpp"

#include "quire/conformance/v1/conformance_fake.hpp"
#include "quire/conformance/v1/conformance_rpc.hpp"
#include "tests/support/raw_http2.hpp"
#include "tests/support/wired.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace quire::rpc {
namespace {

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

}  // namespace
}  // namespace quire::rpc
