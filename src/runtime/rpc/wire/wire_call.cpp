#include "runtime/rpc/wire/wire_call.hpp"

#include "runtime/config/suggestion.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "runtime/rpc/wire/wire_format.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>

namespace quire::rpc {
namespace {

/// Looking for the likeliest name costs the product of the lengths; no method's path is that long.
constexpr std::size_t kPathBytesCompared = 200;

}  // namespace

WireCall::WireCall(asio::io_context& loop, std::shared_ptr<Http2Stream> stream,
                   const WireCallDeps& deps, bool is_from_owner)
    : loop_(loop),
      stream_(std::move(stream)),
      deps_(deps),
      is_from_owner_(is_from_owner),
      deadline_(loop, [this] {
          is_late_ = true;
          cancel_.emit(asio::cancellation_type::terminal);
      }) {}

void WireCall::cancel(const std::shared_ptr<WireCall>& call) {
    asio::post(call->loop_, [call] { call->cancel_.emit(asio::cancellation_type::terminal); });
}

awaitable<void> WireCall::run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (!is_grpc()) {
        stream_->end_with(unimplemented_trailers(
            "this is a gRPC service: POST with content-type application/grpc"));
        co_return;
    }
    const std::string_view encoding = find_header(stream_->headers(), "grpc-encoding");
    if (!encoding.empty() && encoding != "identity") {
        HeaderList trailers =
            unimplemented_trailers("compressed messages are not taken; send identity");
        trailers.emplace_back("grpc-accept-encoding", "identity");
        stream_->end_with(std::move(trailers));
        co_return;
    }
    const auto found = deps_.methods.find(find_header(stream_->headers(), ":path"));
    if (found == deps_.methods.end()) {
        stream_->end_with(unimplemented_trailers(no_such_method()));
        co_return;
    }
    method_ = found->second;
    Result<void> ended;
    try {
        ended = co_await serve();
    } catch (const std::exception& e) {
        runtime::count_bug();
        QUIRE_LOG(error, "an exception escaped a method", {"method", method_->short_name()},
                  {"what", e.what()});
        ended = Error(ErrorCode::kInternalError, "the service failed; its log says why");
    }
    deadline_.clear();
    if (!ended && is_late_ && ended.error().code() == ErrorCode::kCancelled) {
        ended = Error(ErrorCode::kDeadlineExceeded, "the call's deadline passed");
    }
    stream_->end_with(to_trailers(ended));
}

std::string WireCall::no_such_method() const {
    std::vector<std::string> paths;
    for (const auto& [path, method] : deps_.methods) paths.push_back(path);
    const std::string_view path =
        find_header(stream_->headers(), ":path").substr(0, kPathBytesCompared);
    return fmt::format("there is no method '{}' in this process; did you mean '{}'?", path,
                       config::closest_name(path, paths));
}

bool WireCall::is_grpc() const {
    return find_header(stream_->headers(), ":method") == "POST" &&
           find_header(stream_->headers(), "content-type").starts_with("application/grpc");
}

awaitable<Result<void>> WireCall::serve() {
    const auto ctx = to_context(stream_->headers(), deps_.clock, deps_.rng);
    if (!ctx) co_return ctx.error();
    stream_->drop_headers();
    const auto allowed = check_caller(*method_, ctx->principal);
    if (!allowed) co_return allowed.error();
    if (ctx->deadline != SteadyTime::max()) deadline_.expire_at(ctx->deadline);
    auto served = co_await method_->serve(*ctx, *this);
    co_return served;
}

Result<void> WireCall::check_caller(const Method& method, const Principal& principal) const {
    if (principal.is_operator && !is_from_owner_) {
        return Error(ErrorCode::kPermissionDenied,
                     "the operator calls through a Unix socket, not through TCP");
    }
    if (method.access == Access::kInternal) return {};
    return check_access(method, principal);
}

awaitable<Result<bool>> WireCall::read(google::protobuf::Message& message) {
    QUIRE_CO_TRY(const bool has_message, stream_->read(bytes_));
    if (!has_message) co_return false;
    if (message.ParseFromString(bytes_)) co_return true;
    co_return Error(ErrorCode::kInvalidValue,
                    "the message is no " + message.GetDescriptor()->full_name());
}

awaitable<Result<void>> WireCall::write(const google::protobuf::Message& message) {
    auto written = co_await stream_->write(message);
    co_return written;
}

}  // namespace quire::rpc
