#pragma once

#include "base/result.hpp"
#include "runtime/async.hpp"
#include "runtime/event_loops.hpp"
#include "runtime/http/headers.hpp"
#include "runtime/http/url.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quire::http {

struct ServerLimits {
    std::size_t header_bytes_max = 64 * 1024;
    std::size_t connections_max = 20'000;
    std::size_t bodies_bytes_max = 256 * 1024 * 1024;  ///< of all requests that run
    std::chrono::milliseconds header_timeout{10'000};  ///< from first byte to end of headers
    std::chrono::milliseconds idle_timeout{75'000};    ///< between requests
    std::chrono::milliseconds body_timeout{60'000};    ///< for the whole body
    std::chrono::milliseconds write_stall{30'000};     ///< a write that makes no progress
};

/// What the peer sent before the body. Views stay valid until the handler returns.
struct RequestHead {
    std::string_view method;
    std::string_view path;   ///< as sent, without the query
    std::string_view query;  ///< without '?'
    const Headers* headers = nullptr;

    std::string_view header(std::string_view name) const { return headers->find(name); }
};

/// A whole answer. `content-length`, `date` and `connection` are added.
struct Response {
    int status = 200;
    std::string content_type;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};

/// Why a handler was cancelled.
enum class CancelReason { kNone, kClientGone, kDeadline, kShutdown };

/// One request and its answer, for the handler, on the connection's loop. While the handler runs
/// the connection watches its peer: a FIN or reset cancels the handler at once.
class Exchange {
public:
    virtual ~Exchange() = default;

    virtual const RequestHead& head() const = 0;
    /// Reads the body: kRequestTooLarge above `bytes_max` (at once when content-length says so),
    /// kInvalidValue for broken framing, kOverloaded when the bodies of all requests leave no room,
    /// kCancelled when the client left.
    virtual awaitable<Result<std::string_view>> read_body(std::size_t bytes_max) = 0;
    /// The handler needs the body no more, which ends its view: an answer may run for minutes.
    virtual void release_body() = 0;

    /// Exactly one of `respond` and `begin_stream` per exchange. kCancelled: the client is gone.
    virtual awaitable<Result<void>> respond(Response response) = 0;
    /// Sends status and headers; the body follows in chunks (HTTP/1.0: until close).
    virtual awaitable<Result<void>> begin_stream(Response head) = 0;
    /// Waits until the peer has taken the bytes before (its slowness is ours).
    virtual awaitable<Result<void>> write(std::string_view bytes) = 0;
    virtual awaitable<Result<void>> finish_stream() = 0;
    /// From now on, whenever `interval` passes without a write, `comment` is sent as a chunk; the
    /// first time an unanswered exchange begins its stream with `head`. Ends with the exchange.
    virtual void keep_alive(std::chrono::milliseconds interval, Response head,
                            std::string comment) = 0;
    /// Ends a stream so that the peer sees it was cut: no last chunk, connection closed.
    virtual void cut_stream() = 0;

    virtual bool is_answered() const = 0;
    /// The handler is cancelled with kDeadline when this passes.
    virtual void set_deadline(std::chrono::steady_clock::time_point when) = 0;
    virtual CancelReason cancel_reason() const = 0;
    /// Makes awaiting possible again after a cancellation that still deserves an answer.
    virtual awaitable<void> accept_cancellation() = 0;
};

/// Answers one exchange. What escapes it as an exception is logged and cuts the connection.
using Handler = std::function<awaitable<void>(Exchange&)>;

/// Where a server listens: TCP, or a Unix socket (path, mode 0600).
struct Listen {
    HostPort tcp;
    std::string unix_path;  ///< not empty: a Unix socket
};

/// HTTP/1.1 server on Beast's parser: keep-alive, pipelining one after the other, limits on header
/// size and time, body, idle time and write stalls. Connections spread over the loops.
class Server {
public:
    /// What a malformed request is answered with, given its target as far as it was understood;
    /// lets each listener speak its own error dialect.
    using ErrorPage = std::function<Response(const Error&, std::string_view target)>;

    Server(runtime::EventLoops& loops, std::string name, ServerLimits limits, Handler handler,
           ErrorPage error_page);
    ~Server();

    /// kInvalidValue when the address cannot be bound; says why.
    Result<void> listen(const Listen& where);
    /// The port really bound.
    std::uint16_t port() const;

    /// From now on answers carry `connection: close`, and idle connections are closed.
    void begin_drain();
    std::size_t active_exchanges() const;
    /// Stops accepting, cancels what runs (kShutdown), closes all, and waits for the end of every
    /// connection. From a thread that is not a loop.
    void stop();

private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace quire::http
