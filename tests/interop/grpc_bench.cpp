// What a call costs over libgrpc++, both ends counted, beside binding_bench's figures:
//   grpc_bench serve FOLDER           prints its address as JSON, ends when its input does
//   grpc_bench call ADDRESS PID SECONDS
// Blocking calls, a thread each: of libgrpc++'s interfaces the one that costs least per call.
#include "quire/conformance/v1/conformance.grpc.pb.h"
#include "tests/bench/both_ends.hpp"

#include <grpcpp/grpcpp.h>

#include <functional>
#include <thread>

namespace {

using namespace quire::conformance::v1;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::int64_t kPaceMillis = 5;

void must(const grpc::Status& status) {
    if (status.ok()) return;
    fmt::print(stderr, "grpc_bench: {}\n", status.error_message());
    std::exit(1);
}

class LeastService final : public Conformance::Service {
public:
    grpc::Status Echo(grpc::ServerContext* /*context*/, const EchoRequest* request,
                      EchoResponse* response) override {
        response->set_text(request->text());
        return grpc::Status::OK;
    }
    grpc::Status Count(grpc::ServerContext* /*context*/, const CountRequest* request,
                       grpc::ServerWriter<Number>* writer) override {
        Number number;
        for (std::int64_t i = 1; i <= request->count(); ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(request->delay_ms()));
            number.set_value(i);
            writer->Write(number);
        }
        return grpc::Status::OK;
    }
    grpc::Status Sum(grpc::ServerContext* /*context*/,
                     grpc::ServerReaderWriter<Number, Number>* stream) override {
        Number number;
        std::int64_t sum = 0;
        while (stream->Read(&number)) {
            number.set_value(sum += number.value());
            stream->Write(number);
        }
        stream->Write(number);
        return grpc::Status::OK;
    }
};

int serve(const std::string& folder) {
    LeastService service;
    grpc::ServerBuilder builder;
    const std::string path = folder + "/grpc.sock";
    builder.AddListeningPort("unix:" + path, grpc::InsecureServerCredentials());
    builder.RegisterService(&service);
    const auto server = builder.BuildAndStart();
    fmt::print("{{\"unix\":\"{}\"}}\n", path);
    std::fflush(stdout);
    while (std::getchar() != EOF) continue;
    server->Shutdown(std::chrono::system_clock::now());
    return 0;
}

struct Caller {
    Conformance::Stub& stub;
    Steady::time_point end;
    std::size_t units = 0;
    std::vector<double> waits{};

    void unary() {
        EchoRequest request;
        request.set_text(std::string(100, 'x'));
        while (Steady::now() < end) {
            const auto before = Steady::now();
            grpc::ClientContext context;
            EchoResponse response;
            must(stub.Echo(&context, request, &response));
            waits.push_back(Seconds(Steady::now() - before).count());
            ++units;
        }
    }
    void stream() {
        CountRequest request;
        request.set_count(200);
        request.set_delay_ms(kPaceMillis);
        while (Steady::now() < end) {
            grpc::ClientContext context;
            const auto reader = stub.Count(&context, request);
            Number number;
            while (reader->Read(&number)) ++units;
            must(reader->Finish());
        }
    }
    void two_way() {
        while (Steady::now() < end) {
            grpc::ClientContext context;
            const auto stream = stub.Sum(&context);
            Number number;
            for (int i = 0; i < 200; ++i, ++units) {
                std::this_thread::sleep_for(std::chrono::milliseconds(kPaceMillis));
                stream->Write(number);
                stream->Read(&number);
            }
            stream->WritesDone();
            while (stream->Read(&number)) continue;
            must(stream->Finish());
        }
    }
};

void measure(std::string_view what, Conformance::Stub& stub, pid_t server, double seconds,
             std::size_t in_flight, void (Caller::*work)()) {
    const auto start = Steady::now();
    const auto end = start + std::chrono::duration_cast<Steady::duration>(Seconds(seconds));
    const quire::bench::BothEnds cpu(server);
    std::vector<Caller> callers(in_flight, Caller{stub, end});
    std::vector<std::thread> threads;
    for (Caller& caller : callers) threads.emplace_back(work, &caller);
    for (std::thread& thread : threads) thread.join();
    std::size_t units = 0;
    std::vector<double> waits;
    for (const Caller& caller : callers) {
        units += caller.units;
        waits.insert(waits.end(), caller.waits.begin(), caller.waits.end());
    }
    quire::bench::print_cost(what, cpu, Seconds(Steady::now() - start).count(),
                             static_cast<double>(units), waits);
}

int call(const std::string& where, pid_t server, double seconds) {
    const auto stub = Conformance::NewStub(
        grpc::CreateChannel("unix:" + where, grpc::InsecureChannelCredentials()));
    measure("unary_1", *stub, server, seconds, 1, &Caller::unary);
    measure("unary_32", *stub, server, seconds, 32, &Caller::unary);
    measure("stream", *stub, server, seconds, 32, &Caller::stream);
    measure("two_way", *stub, server, seconds, 32, &Caller::two_way);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc > 2 ? argv[1] : "";
    if (what == "serve") return serve(argv[2]);
    if (what == "call" && argc == 5) return call(argv[2], std::atoi(argv[3]), std::atof(argv[4]));
    fmt::print(stderr, "usage: grpc_bench serve FOLDER | call ADDRESS PID SECONDS\n");
    return 2;
}
