#include "runtime/rpc/json_dispatcher.hpp"

#include "base/id.hpp"
#include "runtime/http/problem.hpp"
#include "runtime/json.hpp"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

namespace quire::rpc {
namespace {

constexpr std::size_t kBodyBytesMax = 16 * 1024 * 1024;
constexpr int kRetries = 2;
constexpr std::chrono::seconds kDeadline{600};

/// One request message in, JSON out: a whole answer for a unary call, lines for a stream.
class JsonStream final : public ServerStream {
public:
    JsonStream(http::Exchange& exchange, std::string_view body, MethodKind kind)
        : exchange_(exchange), body_(body), kind_(kind) {}

    awaitable<Result<bool>> read(google::protobuf::Message& message) override {
        if (std::exchange(is_read_, true)) co_return false;
        const auto status =
            google::protobuf::util::JsonStringToMessage(std::string(body_), &message);
        if (!status.ok()) {
            co_return Error(ErrorCode::kInvalidJson,
                            fmt::format("not a {}: {}", message.GetDescriptor()->full_name(),
                                        std::string(status.message())));
        }
        co_return true;
    }

    awaitable<Result<void>> write(const google::protobuf::Message& message) override {
        std::string text;
        google::protobuf::util::JsonPrintOptions options;
        options.always_print_primitive_fields = true;
        options.preserve_proto_field_names = true;
        const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
        if (!status.ok()) {
            co_return Error(ErrorCode::kInternalError, std::string(status.message()));
        }
        text += '\n';
        if (kind_ == MethodKind::kUnary) {
            http::Response response;
            response.content_type = "application/json";
            response.body = std::move(text);
            auto sent = co_await exchange_.respond(std::move(response));
            co_return sent;
        }
        if (!exchange_.is_answered()) {
            http::Response head;
            head.content_type = "application/x-ndjson";
            const auto begun = co_await exchange_.begin_stream(std::move(head));
            if (!begun) co_return begun.error();
        }
        auto sent = co_await exchange_.write(text);
        co_return sent;
    }

private:
    http::Exchange& exchange_;
    std::string_view body_;
    MethodKind kind_;
    bool is_read_ = false;
};

}  // namespace

awaitable<void> JsonDispatcher::handle(http::Exchange& exchange) {
    CallContext ctx;
    ctx.request_id = make_id("req", clock_.now(), rng_);
    const auto done = co_await call(exchange, ctx);
    if (done) co_return;
    co_await exchange.accept_cancellation();
    const Error error = http::cancelled_by(exchange.cancel_reason(), done.error());
    if (!exchange.is_answered()) {
        const auto sent = co_await exchange.respond(http::problem(error, ctx.request_id));
        ignore(sent, "the caller has left");
        co_return;
    }
    const std::string line =
        fmt::format("{{\"error\":{}}}\n", http::problem(error, ctx.request_id).body);
    const auto sent = co_await exchange.write(line);
    ignore(sent, "the caller has left");
    const auto ended = co_await exchange.finish_stream();
    ignore(ended, "the caller has left");
}

awaitable<Result<void>> JsonDispatcher::call(http::Exchange& exchange, CallContext& ctx) {
    constexpr std::string_view kPrefix = "/rpc";
    const http::RequestHead& head = exchange.head();
    if (!head.path.starts_with("/rpc/")) {
        co_return Error(ErrorCode::kNotFound, "the operator's socket serves /rpc/SERVICE/METHOD");
    }
    if (head.method != "POST") co_return Error(ErrorCode::kMethodNotAllowed, "use POST");
    const std::string_view name = head.path.substr(kPrefix.size());
    const Method* method =
        registry_.find(name.find('/', 1) == std::string_view::npos ? name.substr(1) : name);
    if (method == nullptr) {
        const std::string wanted(name.substr(1));
        co_return Error(ErrorCode::kNotFound,
                        fmt::format("there is no method '{}' in this process; did you mean '{}'?",
                                    wanted, registry_.closest(wanted)));
    }
    if (method->kind == MethodKind::kTwoWay) {
        co_return Error(ErrorCode::kUnsupportedValue,
                        fmt::format("{} is a two-way stream; JSON calls cannot hold a dialogue",
                                    method->short_name()));
    }
    ctx.retries = std::make_shared<RetryBudget>(kRetries);
    ctx.trace = runtime::new_trace(rng_);
    ctx.deadline = clock_.steady() + kDeadline;
    exchange.set_deadline(ctx.deadline);
    const std::string org(head.header("x-quire-org"));
    auto tenant = co_await resolve_org_(org);
    // Most of what is the operator's alone is about no tenant, or about all.
    const bool is_undecided =
        !tenant && tenant.error().code() == ErrorCode::kMissingRequiredParameter;
    const bool is_for_all = is_undecided && method->access == Access::kOperator;
    if (!tenant && !is_for_all) co_return tenant.error();
    if (tenant) ctx.principal = *std::move(tenant);
    ctx.principal.is_operator = true;
    QUIRE_CO_TRY(const std::string_view body, exchange.read_body(kBodyBytesMax));
    JsonStream stream(exchange, body.empty() ? "{}" : body, method->kind);
    const auto served = co_await method->serve(ctx, stream);
    if (!served) co_return served.error();
    if (method->kind == MethodKind::kServerStream && exchange.is_answered()) {
        auto ended = co_await exchange.finish_stream();
        co_return ended;
    }
    if (!exchange.is_answered()) {
        // A stream without a message is an empty answer.
        http::Response empty;
        empty.content_type = "application/x-ndjson";
        auto sent = co_await exchange.respond(std::move(empty));
        co_return sent;
    }
    co_return Result<void>();
}

}  // namespace quire::rpc
