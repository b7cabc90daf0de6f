#pragma once

#include "quire/conformance/v1/conformance.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace quire::test {

/// The conformance service on libgrpc++'s own server, with errors as Quire's are on the wire.
class GrpcConformance final : public conformance::v1::Conformance::Service {
public:
    /// At `unix:PATH`, or `127.0.0.1:0` for any port.
    explicit GrpcConformance(const std::string& address);
    ~GrpcConformance() override;

    int port() const { return port_; }
    /// Sends GOAWAY, and ends at once what still runs.
    void stop();
    /// Of the call that came last.
    std::string metadata(const std::string& name);

    grpc::Status Echo(grpc::ServerContext* context, const conformance::v1::EchoRequest* request,
                      conformance::v1::EchoResponse* response) override;
    grpc::Status Count(grpc::ServerContext* context, const conformance::v1::CountRequest* request,
                       grpc::ServerWriter<conformance::v1::Number>* writer) override;
    grpc::Status Sum(grpc::ServerContext* context,
                     grpc::ServerReaderWriter<conformance::v1::Number, conformance::v1::Number>*
                         stream) override;

    std::optional<grpc::Status> ends_with;  ///< what every Echo answers; set before the call
    std::atomic<int> running{0};
    std::atomic<int> cancelled{0};  ///< calls of which libgrpc++ said so
    std::atomic<bool> had_deadline{false};

private:
    class Running;

    std::mutex mutex_;
    std::multimap<std::string, std::string> metadata_;
    int port_ = 0;
    std::unique_ptr<grpc::Server> server_;
};

}  // namespace quire::test
