// Our client on libgrpc++'s server.
#include "quire/conformance/v1/conformance_rpc.hpp"
#include "quire/wire/v1/wire.pb.h"
#include "tests/contract/conformance_suite.hpp"
#include "tests/interop/grpc_conformance.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/wired.hpp"

namespace quire::test {
namespace {

using conformance::ConformanceClient;
using conformance::v1::CountRequest;
using conformance::v1::EchoRequest;
using conformance::v1::EchoResponse;
using conformance::v1::Number;
using std::chrono::milliseconds;

std::string wire_name(Wire wire) { return wire == Wire::kUnixSocket ? "UnixSocket" : "Loopback"; }

/// libgrpc++'s server, and a channel of ours to it.
class Reached {
public:
    explicit Reached(Wire wire) {
        if (wire == Wire::kUnixSocket) address_.unix_path = folder_.path() / "grpc.sock";
        if (wire == Wire::kLoopback) address_.tcp = {"127.0.0.1", 0};
        start();
        channel_ = std::make_shared<rpc::WireChannel>(loops_, address_, clock_);
        client.emplace(channel_);
    }
    ~Reached() { channel_->close(); }
    Reached(const Reached&) = delete;
    Reached& operator=(const Reached&) = delete;

    /// Again at the same address, after a stop.
    void start() {
        const bool is_unix = !address_.unix_path.empty();
        service = std::make_unique<GrpcConformance>(is_unix ? "unix:" + address_.unix_path
                                                            : address_.text());
        if (!is_unix) address_.tcp.port = static_cast<std::uint16_t>(service->port());
    }
    template <class T>
    T run(awaitable<T> work) {
        return run_on(loops_.loop(0), std::move(work));
    }
    Result<EchoResponse> echo(const EchoRequest& request, const rpc::CallContext& ctx = {}) {
        return run(client->echo(ctx, request));
    }

    std::unique_ptr<GrpcConformance> service;
    std::optional<ConformanceClient> client;

private:
    TemporaryFolder folder_;
    SystemClock clock_;
    rpc::WireAddress address_;
    runtime::EventLoops loops_{1};
    std::shared_ptr<rpc::WireChannel> channel_;
};

/// The binding's suite: what holds between our own two ends holds with libgrpc++'s server too.
class GrpcServerConformance : public testing::TestWithParam<std::tuple<Wire, ConformanceCase>> {};

TEST_P(GrpcServerConformance, Holds) {
    const auto& [wire, rule] = GetParam();
    Reached reached(wire);

    EXPECT_EQ(reached.run(rule.check(*reached.client)), "");
}

INSTANTIATE_TEST_SUITE_P(Binding, GrpcServerConformance,
                         testing::Combine(testing::Values(Wire::kUnixSocket, Wire::kLoopback),
                                          testing::ValuesIn(conformance_cases())),
                         [](const auto& instance) {
                             return wire_name(std::get<0>(instance.param)) +
                                    std::get<1>(instance.param).name;
                         });

class GrpcServer : public testing::TestWithParam<Wire> {
protected:
    Reached reached_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Over, GrpcServer, testing::Values(Wire::kUnixSocket, Wire::kLoopback),
                         [](const auto& instance) { return wire_name(instance.param); });

/// Of a status that brings no details of ours; most are a bug of somebody's.
ErrorCode what_we_make_of(int grpc_status) {
    const auto status = static_cast<grpc::StatusCode>(grpc_status);
    if (status == grpc::StatusCode::DEADLINE_EXCEEDED) return ErrorCode::kDeadlineExceeded;
    const bool is_gone =
        status == grpc::StatusCode::UNAVAILABLE || status == grpc::StatusCode::CANCELLED;
    return is_gone ? ErrorCode::kOverloaded : ErrorCode::kInternalError;
}

TEST_P(GrpcServer, EveryStatusComesWithItsMessage) {
    const std::string said = "100 % größer\n“ja” 🐝";
    for (int code = 1; code <= 16; ++code) {
        reached_.service->ends_with = grpc::Status(static_cast<grpc::StatusCode>(code), said);

        const auto answer = reached_.echo(EchoRequest());

        ASSERT_FALSE(answer) << code;
        EXPECT_NE(answer.error().message().find(said), std::string::npos)
            << code << ": " << answer.error().message();
        EXPECT_EQ(answer.error().code(), what_we_make_of(code)) << code;
    }
    reached_.service->ends_with.reset();
    EXPECT_TRUE(reached_.echo(EchoRequest()));
}

TEST_P(GrpcServer, ForeignDetailsDoNotHideTheStatus) {
    wire::v1::Status status;
    status.set_code(9);
    status.add_details()->set_type_url("type.googleapis.com/google.rpc.Help");
    reached_.service->ends_with =
        grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "not so", status.SerializeAsString());

    const auto answer = reached_.echo(EchoRequest());

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::kInternalError);
    EXPECT_NE(answer.error().message().find("not so"), std::string::npos);
}

TEST_P(GrpcServer, AMessageAboveOurLimitIsRefusedAndTheConnectionLives) {
    EchoRequest request;
    request.set_text(std::string(1024 * 1024, 'x'));

    const auto fits = reached_.echo(request);
    request.set_text(std::string(13 * 1024 * 1024, 'x'));
    const auto refused = reached_.echo(request);

    ASSERT_TRUE(fits) << fits.error().message();
    EXPECT_EQ(fits->text().size(), 1024U * 1024);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kRequestTooLarge);
    EXPECT_TRUE(reached_.echo(EchoRequest()));
    EXPECT_EQ(reached_.service->running, 0);
}

TEST_P(GrpcServer, TheDeadlineTravels) {
    EchoRequest request;
    rpc::CallContext ctx;
    ASSERT_TRUE(reached_.echo(request, ctx));
    EXPECT_FALSE(reached_.service->had_deadline);

    request.set_delay_ms(60'000);
    ctx.deadline = SystemClock().steady() + milliseconds(100);
    const auto late = reached_.echo(request, ctx);

    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code(), ErrorCode::kDeadlineExceeded);
    EXPECT_TRUE(reached_.service->had_deadline);
    EXPECT_TRUE(wait_until([&] { return reached_.service->cancelled == 1; }));
}

TEST_P(GrpcServer, SeesThatTheCallerLeft) {
    const rpc::CallContext ctx;
    CountRequest endless;
    endless.set_count(1'000'000);
    endless.set_delay_ms(1);
    struct Enough final : rpc::Sink<Number> {
        awaitable<Result<void>> write(const Number& /*message*/) override {
            co_return cancelled_error();
        }
    } sink;

    const auto ended = reached_.run(reached_.client->count(ctx, endless, sink));

    EXPECT_FALSE(ended);
    EXPECT_TRUE(wait_until([&] { return reached_.service->cancelled == 1; }));
    EXPECT_EQ(reached_.service->running, 0);
}

TEST_P(GrpcServer, SeesThatASessionWasCancelled) {
    const rpc::CallContext ctx;
    auto work = [&]() -> awaitable<Result<Number>> {
        QUIRE_CO_TRY(const auto session, reached_.client->sum(ctx));
        Number push;
        push.set_value(7);
        auto answer = co_await session->exchange(push);
        session->cancel();
        co_return answer;
    };

    const auto answer = reached_.run(work());

    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->value(), 7);
    EXPECT_TRUE(wait_until([&] { return reached_.service->cancelled == 1; }));
}

TEST_P(GrpcServer, AfterItLeftTheNextOneIsFound) {
    ASSERT_TRUE(reached_.echo(EchoRequest()));
    reached_.service->stop();

    const auto nobody = reached_.echo(EchoRequest());
    reached_.service.reset();
    reached_.start();
    const auto again = reached_.echo(EchoRequest());

    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error().code(), ErrorCode::kOverloaded);
    EXPECT_TRUE(again) << again.error().message();
}

}  // namespace
}  // namespace quire::test
