#include "tests/interop/grpc_conformance.hpp"

#include "base/assert.hpp"
#include "base/error.hpp"
#include "quire/common/v1/common.pb.h"
#include "quire/wire/v1/wire.pb.h"
#include "tests/support/run_coroutine.hpp"

namespace quire::test {

using conformance::v1::CountRequest;
using conformance::v1::EchoRequest;
using conformance::v1::EchoResponse;
using conformance::v1::Number;
using std::chrono::milliseconds;

namespace {

grpc::Status failure_named(const std::string& name) {
    const auto code = error_code_named(name);
    QUIRE_ASSERT(code.has_value(), "fail_with is a name of the catalogue");
    const auto grpc_code = static_cast<grpc::StatusCode>(row_of(*code).grpc_status);
    const std::string message = "as asked: ünïcode “" + name + "”";
    wire::v1::ErrorInfo info;
    info.set_reason(name);
    info.set_domain("quire");
    (*info.mutable_metadata())["limit"] = "3";
    (*info.mutable_metadata())["param"] = "fail_with";
    wire::v1::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(1);
    retry.mutable_retry_delay()->set_nanos(500'000'000);
    wire::v1::Status status;
    status.set_code(grpc_code);
    status.set_message(message);
    for (const google::protobuf::Message* detail :
         std::initializer_list<const google::protobuf::Message*>{&info, &retry}) {
        auto& any = *status.add_details();
        any.set_type_url("type.googleapis.com/google.rpc." + detail->GetDescriptor()->name());
        any.set_value(detail->SerializeAsString());
    }
    return {grpc_code, message, status.SerializeAsString()};
}

}  // namespace

/// A call, from its metadata to its end.
class GrpcConformance::Running {
public:
    Running(GrpcConformance& service, grpc::ServerContext& context)
        : service_(service), context_(context) {
        service_.running.fetch_add(1);
        service_.had_deadline = context.deadline() != std::chrono::system_clock::time_point::max();
        const std::lock_guard lock(service_.mutex_);
        service_.metadata_.clear();
        for (const auto& [name, value] : context.client_metadata()) {
            service_.metadata_.emplace(std::string(name.data(), name.size()),
                                       std::string(value.data(), value.size()));
        }
    }
    ~Running() {
        if (context_.IsCancelled()) service_.cancelled.fetch_add(1);
        service_.running.fetch_sub(1);
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    /// False when the caller left meanwhile.
    bool pause(std::int64_t millis) const {
        if (millis == 0) return true;
        return !wait_until([this] { return context_.IsCancelled(); }, milliseconds(millis));
    }

private:
    GrpcConformance& service_;
    grpc::ServerContext& context_;
};

GrpcConformance::GrpcConformance(const std::string& address) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port_);
    builder.SetMaxReceiveMessageSize(16 * 1024 * 1024);
    builder.SetMaxSendMessageSize(-1);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    QUIRE_ASSERT(server_ != nullptr, "libgrpc++ listens");
}

GrpcConformance::~GrpcConformance() { stop(); }

void GrpcConformance::stop() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
}

std::string GrpcConformance::metadata(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto found = metadata_.find(name);
    return found == metadata_.end() ? "" : found->second;
}

grpc::Status GrpcConformance::Echo(grpc::ServerContext* context, const EchoRequest* request,
                                   EchoResponse* response) {
    const Running call(*this, *context);
    if (!call.pause(request->delay_ms())) return grpc::Status::CANCELLED;
    if (ends_with) return *ends_with;
    if (!request->fail_with().empty()) return failure_named(request->fail_with());
    common::v1::Principal principal;
    wire::v1::Call more;
    const bool is_read = principal.ParseFromString(metadata("quire-principal-bin")) &&
                         more.ParseFromString(metadata("quire-call-bin"));
    if (!is_read) return {grpc::StatusCode::INTERNAL, "the metadata is no message"};
    response->set_text(request->text());
    response->set_request_id(metadata("quire-request-id"));
    response->set_org_id(principal.org_id());
    response->set_traceparent(metadata("traceparent"));
    response->set_idempotency_key(more.idempotency_key());
    return grpc::Status::OK;
}

grpc::Status GrpcConformance::Count(grpc::ServerContext* context, const CountRequest* request,
                                    grpc::ServerWriter<Number>* writer) {
    const Running call(*this, *context);
    Number number;
    for (std::int64_t i = 1; i <= request->count(); ++i) {
        number.set_value(i);
        if (!call.pause(request->delay_ms()) || !writer->Write(number)) {
            return grpc::Status::CANCELLED;
        }
    }
    if (!request->fail_with().empty()) return failure_named(request->fail_with());
    return grpc::Status::OK;
}

grpc::Status GrpcConformance::Sum(grpc::ServerContext* context,
                                  grpc::ServerReaderWriter<Number, Number>* stream) {
    const Running call(*this, *context);
    Number number;
    std::int64_t sum = 0;
    while (stream->Read(&number)) {
        sum += number.value();
        number.set_value(sum);
        if (!stream->Write(number)) return grpc::Status::CANCELLED;
    }
    number.set_value(sum);
    stream->Write(number);
    return grpc::Status::OK;
}

}  // namespace quire::test
