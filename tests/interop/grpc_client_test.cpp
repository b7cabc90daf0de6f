// libgrpc++'s client on our server.
#include "quire/common/v1/common.pb.h"
#include "quire/conformance/v1/conformance_fake.hpp"
#include "quire/conformance/v1/conformance_rpc.hpp"
#include "quire/wire/v1/wire.pb.h"
#include "tests/contract/conformance_suite.hpp"
#include "tests/interop/grpc_conformance.hpp"
#include "tests/support/wired.hpp"

#include <grpcpp/generic/generic_stub.h>

#include <future>
#include <list>
#include <thread>

namespace quire::test {
namespace {

using conformance::v1::CountRequest;
using conformance::v1::EchoRequest;
using conformance::v1::EchoResponse;
using conformance::v1::Number;
using std::chrono::milliseconds;

constexpr std::int64_t kForever = 60'000;

class GrpcClient : public testing::TestWithParam<Wire> {
protected:
    GrpcClient() { serve(conformance::conformance_methods(*service_)); }

    void serve(std::vector<rpc::Method> methods, rpc::WireLimits limits = {}) {
        stub_.reset();
        wired_.emplace(std::move(methods), GetParam(), limits);
        stub_ = conformance::v1::Conformance::NewStub(channel());
    }
    std::shared_ptr<grpc::Channel> channel(grpc::ChannelArguments arguments = {}) const {
        const bool is_unix = GetParam() == Wire::kUnixSocket;
        arguments.SetMaxReceiveMessageSize(-1);
        arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
        return grpc::CreateCustomChannel(
            is_unix ? "unix:" + wired_->address.unix_path : wired_->address.text(),
            grpc::InsecureChannelCredentials(), arguments);
    }
    /// As Quire's own callers send it.
    static std::unique_ptr<grpc::ClientContext> context(milliseconds limit = milliseconds(20'000)) {
        auto context = std::make_unique<grpc::ClientContext>();
        common::v1::Principal principal;
        principal.set_org_id("org_1");
        principal.add_scopes("inference");
        wire::v1::Call call;
        call.set_idempotency_key("once");
        context->AddMetadata("quire-request-id", "req_01M84YTZVCKESBNN60DEPB1WMQ");
        context->AddMetadata("quire-principal-bin", principal.SerializeAsString());
        context->AddMetadata("quire-call-bin", call.SerializeAsString());
        context->AddMetadata("traceparent",
                             "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        context->set_deadline(std::chrono::system_clock::now() + limit);
        return context;
    }
    grpc::Status echo(const EchoRequest& request, EchoResponse& response) {
        return stub_->Echo(context().get(), request, &response);
    }
    void expect_nothing_runs() {
        EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 0; }));
    }
    /// Runs `leave` once the server has the call.
    std::thread once_running(std::function<void()> leave) {
        return std::thread([this, leave = std::move(leave)] {
            EXPECT_TRUE(wait_until([&] { return wired_->server->running_calls() == 1; }));
            leave();
        });
    }

    std::shared_ptr<conformance::Conformance> service_ = make_conformance_service();
    conformance::FakeConformance fake_;
    std::optional<Wired> wired_;
    std::unique_ptr<conformance::v1::Conformance::Stub> stub_;
};

INSTANTIATE_TEST_SUITE_P(Over, GrpcClient, testing::Values(Wire::kUnixSocket, Wire::kLoopback),
                         [](const auto& instance) {
                             return instance.param == Wire::kUnixSocket ? "UnixSocket" : "Loopback";
                         });

// Unary -------------------------------------------------------------------------------------------

TEST_P(GrpcClient, UnaryAnswersAndItsMetadataArrives) {
    EchoRequest request;
    request.set_text("größe 🐝");
    EchoResponse response;

    const grpc::Status status = echo(request, response);

    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.text(), "größe 🐝");
    EXPECT_EQ(response.request_id(), "req_01M84YTZVCKESBNN60DEPB1WMQ");
    EXPECT_EQ(response.org_id(), "org_1");
    EXPECT_EQ(response.idempotency_key(), "once");
    EXPECT_EQ(response.traceparent().substr(3, 32), "0af7651916cd43dd8448eb211c80319c");
}

TEST_P(GrpcClient, EveryErrorArrivesWithItsDetails) {
    for (const ErrorRow& row : error_catalogue()) {
        EchoRequest request;
        request.set_fail_with(std::string(row.name));
        EchoResponse response;

        const grpc::Status status = echo(request, response);

        EXPECT_EQ(static_cast<int>(status.error_code()), static_cast<int>(row.grpc_status));
        EXPECT_EQ(status.error_message(), "as asked: ünïcode “" + std::string(row.name) + "”");
        wire::v1::Status details;
        ASSERT_TRUE(details.ParseFromString(status.error_details())) << row.name;
        EXPECT_EQ(details.code(), status.error_code());
        EXPECT_EQ(details.message(), status.error_message());
        ASSERT_EQ(details.details_size(), 2) << row.name;
        wire::v1::ErrorInfo info;
        wire::v1::RetryInfo retry;
        EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
        EXPECT_EQ(details.details(1).type_url(), "type.googleapis.com/google.rpc.RetryInfo");
        ASSERT_TRUE(info.ParseFromString(details.details(0).value()));
        ASSERT_TRUE(retry.ParseFromString(details.details(1).value()));
        EXPECT_EQ(info.reason(), row.name);
        EXPECT_EQ(info.domain(), "quire");
        EXPECT_EQ(info.metadata().at("limit"), "3");
        EXPECT_EQ(retry.retry_delay().seconds(), 1);
        EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
    }
}

TEST_P(GrpcClient, ALongMessageDoesNotPushTheErrorOverLibgrpcsLimitOfMetadata) {
    std::string said;
    while (said.size() < 10'001) said += "größe ";
    fake_.on_echo = [&](const rpc::CallContext&,
                        const EchoRequest&) -> awaitable<Result<EchoResponse>> {
        co_return Error(ErrorCode::kNotFound, said);
    };
    serve(conformance::conformance_methods(fake_));
    EchoResponse response;

    const grpc::Status status = echo(EchoRequest(), response);

    EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND) << status.error_message();
    EXPECT_GT(status.error_message().size(), 500U);
    EXPECT_TRUE(said.starts_with(status.error_message()));
    wire::v1::Status details;
    EXPECT_TRUE(details.ParseFromString(status.error_details()));
}

TEST_P(GrpcClient, AnUnknownMethodIsUnimplemented) {
    grpc::TemplatedGenericStub<EchoRequest, EchoResponse> stub(channel());
    const auto ctx = context();
    const EchoRequest request;
    EchoResponse response;
    std::promise<grpc::Status> ended;

    stub.UnaryCall(ctx.get(), "/quire.conformance.v1.Conformance/Eco", {}, &request, &response,
                   [&](const grpc::Status& status) { ended.set_value(status); });
    const grpc::Status status = ended.get_future().get();

    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
    EXPECT_NE(status.error_message().find("did you mean '/quire.conformance.v1.Conformance/Echo'"),
              std::string::npos)
        << status.error_message();
}

TEST_P(GrpcClient, AMethodWithAScopeIsRefusedWithoutIt) {
    grpc::ClientContext ctx;  // of nobody
    const auto reader = stub_->Count(&ctx, CountRequest());
    Number number;

    EXPECT_FALSE(reader->Read(&number));
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_P(GrpcClient, LargeMessagesPassBothWaysAgainAndAgain) {
    // Its bandwidth probe pings and changes its settings meanwhile; both have limits here.
    EchoRequest request;
    request.set_text(std::string(1024 * 1024, 'x'));
    for (int i = 0; i < 100; ++i) {
        EchoResponse response;
        const grpc::Status status = echo(request, response);
        ASSERT_TRUE(status.ok()) << i << ": " << status.error_message();
        ASSERT_EQ(response.text().size(), request.text().size());
    }
    request.set_text(std::string(10 * 1024 * 1024, 'x'));
    EchoResponse response;
    EXPECT_TRUE(echo(request, response).ok());
}

TEST_P(GrpcClient, AMessageOverTheLimitIsRefusedWithOurReason) {
    EchoRequest request;
    request.set_text(std::string(13 * 1024 * 1024, 'x'));
    EchoResponse response;

    const grpc::Status status = echo(request, response);

    wire::v1::Status details;
    wire::v1::ErrorInfo info;
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    ASSERT_TRUE(details.ParseFromString(status.error_details()));
    ASSERT_EQ(details.details_size(), 1);
    ASSERT_TRUE(info.ParseFromString(details.details(0).value()));
    EXPECT_EQ(info.reason(), "request_too_large");
    request.set_text("small");
    EXPECT_TRUE(echo(request, response).ok());
}

TEST_P(GrpcClient, ACompressedMessageIsRefusedInWords) {
    grpc::ChannelArguments arguments;
    arguments.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
    const auto stub = conformance::v1::Conformance::NewStub(channel(arguments));
    EchoRequest request;
    request.set_text(std::string(10'000, 'x'));
    EchoResponse response;

    const grpc::Status status = stub->Echo(context().get(), request, &response);

    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << status.error_message();
    EXPECT_NE(status.error_message().find("compressed"), std::string::npos);
}

TEST_P(GrpcClient, ManyCallersShareAConnection) {
    std::vector<std::thread> callers;
    std::atomic<int> answered{0};
    for (int caller = 0; caller < 8; ++caller) {
        callers.emplace_back([&, caller] {
            EchoRequest request;
            request.set_text(std::to_string(caller));
            for (int i = 0; i < 100; ++i) {
                EchoResponse response;
                const grpc::Status status = echo(request, response);
                EXPECT_TRUE(status.ok()) << status.error_message();
                if (response.text() == request.text()) answered.fetch_add(1);
            }
        });
    }
    for (std::thread& caller : callers) caller.join();

    EXPECT_EQ(answered, 800);
}

// Ends --------------------------------------------------------------------------------------------

TEST_P(GrpcClient, ItsCancelReachesAUnaryCall) {
    const auto ctx = context();
    EchoRequest request;
    request.set_delay_ms(kForever);
    EchoResponse response;
    std::thread leaving = once_running([&] { ctx->TryCancel(); });

    const grpc::Status status = stub_->Echo(ctx.get(), request, &response);
    leaving.join();

    EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
    expect_nothing_runs();
}

TEST_P(GrpcClient, ItsCancelReachesAStream) {
    const auto ctx = context();
    CountRequest request;
    request.set_count(1'000'000'000);
    const auto reader = stub_->Count(ctx.get(), request);
    Number number;
    for (int i = 1; i <= 10; ++i) ASSERT_TRUE(reader->Read(&number));

    ctx->TryCancel();
    while (reader->Read(&number)) continue;

    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
    expect_nothing_runs();
}

TEST_P(GrpcClient, ItsCancelReachesATwoWayStream) {
    const auto ctx = context();
    const auto stream = stub_->Sum(ctx.get());
    Number number;
    number.set_value(7);
    ASSERT_TRUE(stream->Write(number));
    ASSERT_TRUE(stream->Read(&number));

    ctx->TryCancel();

    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
    expect_nothing_runs();
}

TEST_P(GrpcClient, ItsDeadlineEndsACall) {
    const auto ctx = context(milliseconds(100));
    EchoRequest request;
    request.set_delay_ms(kForever);
    EchoResponse response;

    const grpc::Status status = stub_->Echo(ctx.get(), request, &response);

    EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
    expect_nothing_runs();
}

TEST_P(GrpcClient, ADrainIsNoticedAndTheNextCallIsAnsweredByTheNextServer) {
    SystemClock clock;
    SystemRng rng;
    rpc::MethodRegistry registry;
    registry.add(conformance::conformance_methods(*service_));
    runtime::EventLoops loops(1);
    std::list<rpc::WireServer> servers;
    rpc::WireServer* leaving = wired_->server.get();
    EchoResponse response;
    for (int i = 0; i < 10; ++i) {
        const grpc::Status status = echo(EchoRequest(), response);
        ASSERT_TRUE(status.ok()) << i << ": " << status.error_message();
        leaving->begin_drain();  // which gives the address free
        leaving = &servers.emplace_back(loops, registry, clock, rng);
        ASSERT_TRUE(leaving->listen(wired_->address));
    }
    stub_.reset();
    for (rpc::WireServer& server : servers) server.stop();
}

TEST_P(GrpcClient, ACallAfterADrainIsUnavailable) {
    EchoResponse response;
    ASSERT_TRUE(echo(EchoRequest(), response).ok());

    wired_->server->begin_drain();

    // One call may have been on its way.
    EXPECT_TRUE(wait_until([&] { return !echo(EchoRequest(), response).ok(); }));
    EXPECT_EQ(echo(EchoRequest(), response).error_code(), grpc::StatusCode::UNAVAILABLE);
    expect_nothing_runs();
}

TEST_P(GrpcClient, AServerThatStopsIsUnavailableOrCancelled) {
    EchoRequest request;
    request.set_delay_ms(kForever);
    EchoResponse response;
    std::thread leaving = once_running([&] { wired_->server->stop(); });

    const grpc::Status status = echo(request, response);
    leaving.join();

    EXPECT_TRUE(status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                status.error_code() == grpc::StatusCode::CANCELLED)
        << status.error_code();
}

// Streams -----------------------------------------------------------------------------------------

TEST_P(GrpcClient, AStreamComesWholeAndInOrder) {
    for (const std::int64_t count : {0, 1, 100'000}) {
        const auto ctx = context();
        CountRequest request;
        request.set_count(count);
        const auto reader = stub_->Count(ctx.get(), request);
        Number number;
        std::int64_t read = 0;
        while (reader->Read(&number)) ASSERT_EQ(number.value(), ++read);

        EXPECT_EQ(read, count);
        EXPECT_TRUE(reader->Finish().ok());
    }
}

TEST_P(GrpcClient, AnErrorAfterMessagesKeepsThem) {
    const auto ctx = context();
    CountRequest request;
    request.set_count(3);
    request.set_fail_with("stream_interrupted");
    const auto reader = stub_->Count(ctx.get(), request);
    Number number;
    int read = 0;
    while (reader->Read(&number)) ++read;
    const grpc::Status status = reader->Finish();

    EXPECT_EQ(read, 3);
    EXPECT_EQ(static_cast<int>(status.error_code()),
              static_cast<int>(row_of(ErrorCode::kStreamInterrupted).grpc_status));
    EXPECT_FALSE(status.error_details().empty());
}

TEST_P(GrpcClient, ATwoWayStreamAnswersEachPushAndOnceMore) {
    for (const std::int64_t pushes : {0, 1, 1000}) {
        const auto ctx = context();
        const auto stream = stub_->Sum(ctx.get());
        Number number;
        for (std::int64_t i = 1; i <= pushes; ++i) {
            number.set_value(i);
            ASSERT_TRUE(stream->Write(number));
            ASSERT_TRUE(stream->Read(&number));
            ASSERT_EQ(number.value(), i * (i + 1) / 2);
        }
        stream->WritesDone();
        ASSERT_TRUE(stream->Read(&number));
        EXPECT_EQ(number.value(), pushes * (pushes + 1) / 2);
        EXPECT_FALSE(stream->Read(&number));
        EXPECT_TRUE(stream->Finish().ok());
    }
}

TEST_P(GrpcClient, PushesAheadOfTheirAnswersAreAnsweredInOrder) {
    const auto ctx = context();
    const auto stream = stub_->Sum(ctx.get());
    constexpr std::int64_t kPushes = 5000;
    std::thread pushing([&] {
        Number one;
        one.set_value(1);
        for (std::int64_t i = 0; i < kPushes; ++i) stream->Write(one);
        stream->WritesDone();
    });
    Number number;
    std::int64_t read = 0;
    while (stream->Read(&number)) ++read;
    pushing.join();

    EXPECT_EQ(read, kPushes + 1);
    EXPECT_EQ(number.value(), kPushes);
    EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace
}  // namespace quire::test
