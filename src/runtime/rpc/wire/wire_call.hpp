#pragma once

#include "base/rng.hpp"
#include "runtime/deadline_timer.hpp"
#include "runtime/rpc/method.hpp"
#include "runtime/rpc/wire/http2_stream.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <string_view>
#include <unordered_map>

namespace quire::rpc {

struct PathHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view path) const {
        return std::hash<std::string_view>()(path);
    }
};

/// The methods of a server by path.
using WireMethods = std::unordered_map<std::string, const Method*, PathHash, std::equal_to<>>;

/// What every call of a server shares.
struct WireCallDeps {
    const WireMethods& methods;
    const Clock& clock;
    Rng& rng;
};

/// One call on a server, from its headers to its trailers.
class WireCall final : public ServerStream {
public:
    WireCall(asio::io_context& loop, std::shared_ptr<Http2Stream> stream, const WireCallDeps& deps,
             bool is_from_owner);

    awaitable<void> run();
    /// The caller is gone, or the server stops: the handler's coroutine is cancelled. At the next
    /// turn of the loop, so that it may be called from within the connection.
    static void cancel(const std::shared_ptr<WireCall>& call);
    asio::cancellation_slot cancel_slot() { return cancel_.slot(); }

    awaitable<Result<bool>> read(google::protobuf::Message& message) override;
    awaitable<Result<void>> write(const google::protobuf::Message& message) override;

private:
    awaitable<Result<void>> serve();
    Result<void> check_caller(const Method& method, const Principal& principal) const;
    bool is_grpc() const;
    std::string no_such_method() const;

    asio::io_context& loop_;
    std::shared_ptr<Http2Stream> stream_;
    const WireCallDeps& deps_;
    bool is_from_owner_;
    const Method* method_ = nullptr;
    asio::cancellation_signal cancel_;
    runtime::Deadline deadline_;
    std::string bytes_;
    bool is_late_ = false;
};

}  // namespace quire::rpc
