#include "quire/conformance/v1/conformance_fake.hpp"
#include "tests/contract/conformance_suite.hpp"

#include <fmt/format.h>

namespace quire::test {
namespace {

using conformance::Conformance;
using conformance::v1::CountRequest;
using conformance::v1::EchoRequest;
using conformance::v1::EchoResponse;
using conformance::v1::Number;

Error failure_named(const std::string& name) {
    const auto code = error_code_named(name);
    if (!code) return {ErrorCode::kInvalidValue, "fail_with is no name of the catalogue"};
    return Error(*code, "as asked: ünïcode “" + name + "”")
        .with_retry_after(std::chrono::milliseconds(1500))
        .with_detail("limit", "3")
        .with_param("fail_with");
}

class SumSession final : public rpc::Session<Number, Number> {
public:
    ~SumSession() override { QUIRE_ASSERT(is_over_, "a session is finished or cancelled"); }

    awaitable<Result<Number>> exchange(const Number& message) override {
        if (is_over_) co_return cancelled_error();
        sum_ += message.value();
        co_return sum();
    }
    awaitable<Result<Number>> finish() override {
        if (is_over_) co_return cancelled_error();
        is_over_ = true;
        co_return sum();
    }
    void cancel() override { is_over_ = true; }

private:
    Number sum() const {
        Number number;
        number.set_value(sum_);
        return number;
    }

    std::int64_t sum_ = 0;
    bool is_over_ = false;
};

class ConformanceService final : public Conformance {
public:
    awaitable<Result<EchoResponse>> echo(const rpc::CallContext& ctx,
                                         const EchoRequest& request) override {
        if (request.delay_ms() > 0) {
            const auto slept =
                co_await runtime::sleep_for(std::chrono::milliseconds(request.delay_ms()));
            if (!slept) co_return slept.error();
        }
        if (!request.fail_with().empty()) co_return failure_named(request.fail_with());
        EchoResponse response;
        response.set_text(request.text());
        response.set_request_id(ctx.request_id);
        response.set_org_id(ctx.principal.org_id);
        response.set_traceparent(ctx.trace.traceparent());
        response.set_idempotency_key(ctx.idempotency_key);
        co_return response;
    }

    awaitable<Result<void>> count(const rpc::CallContext& /*ctx*/, const CountRequest& request,
                                  rpc::Sink<Number>& sink) override {
        Number number;
        for (std::int64_t i = 1; i <= request.count(); ++i) {
            if (request.delay_ms() > 0) {
                const auto slept =
                    co_await runtime::sleep_for(std::chrono::milliseconds(request.delay_ms()));
                if (!slept) co_return slept.error();
            }
            number.set_value(i);
            const auto written = co_await sink.write(number);
            if (!written) co_return written.error();
        }
        if (!request.fail_with().empty()) co_return failure_named(request.fail_with());
        co_return Result<void>();
    }

    awaitable<Result<std::unique_ptr<rpc::Session<Number, Number>>>> sum(
        const rpc::CallContext& /*ctx*/) override {
        std::unique_ptr<rpc::Session<Number, Number>> session = std::make_unique<SumSession>();
        co_return session;
    }
};

}  // namespace

std::shared_ptr<Conformance> make_conformance_service() {
    return std::make_shared<ConformanceService>();
}

std::shared_ptr<Conformance> make_conformance_fake() {
    const auto service = std::make_shared<ConformanceService>();
    auto fake = std::make_shared<conformance::FakeConformance>();
    fake->on_echo = [service](const rpc::CallContext& ctx, const EchoRequest& request) {
        return service->echo(ctx, request);
    };
    fake->on_count = [service](const rpc::CallContext& ctx, const CountRequest& request,
                               rpc::Sink<Number>& sink) {
        return service->count(ctx, request, sink);
    };
    fake->on_sum = [service](const rpc::CallContext& ctx) { return service->sum(ctx); };
    return fake;
}

}  // namespace quire::test
