#pragma once

#include "base/result.hpp"
#include "runtime/async.hpp"
#include "runtime/event_loops.hpp"
#include "runtime/http/headers.hpp"
#include "runtime/http/url.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::http {

struct ClientTimeouts {
    std::chrono::milliseconds connect{5'000};
    std::chrono::milliseconds first_byte{60'000};     ///< from request sent to status line
    std::chrono::milliseconds between_bytes{60'000};  ///< within the body
};

/// Of the connections that a client keeps, for each loop and target.
struct ClientLimits {
    std::size_t idle_max = 64;
    std::chrono::milliseconds idle_time{30'000};
    /// One that ends so soon after a request, and without an answer, had ended before it: then the
    /// request is sent once more. Later the peer may have worked on it, and the caller decides.
    std::chrono::milliseconds stale_time{1'000};
};

/// Where a request goes: a host by TCP (perhaps TLS), or a Unix socket.
struct Target {
    Url url;
    std::string unix_path;  ///< not empty: connect there; `url` only names the host
};

struct ClientRequest {
    std::string method = "POST";
    std::string path = "/";  ///< with the query
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    ClientTimeouts timeouts;
};

/// An answer whose headers are there; the body is read piece by piece. Destroying it before the
/// end closes the connection at once: that is how a call upstream is cancelled.
class ClientResponse {
public:
    virtual ~ClientResponse() = default;
    virtual int status() const = 0;
    virtual const Headers& headers() const = 0;
    /// Replaces the silence limit of the following reads by one moment: kUpstreamTimeout after it.
    virtual void expire_at(std::chrono::steady_clock::time_point when) = 0;
    /// The next bytes of the body, valid until the next call; "" at its end. kUpstreamError when
    /// the connection is cut or the framing broken, kUpstreamTimeout when nothing came in time.
    virtual awaitable<Result<std::string_view>> read_some() = 0;
};

/// The whole body; kRequestTooLarge above `bytes_max`.
awaitable<Result<std::string>> read_all(ClientResponse& response, std::size_t bytes_max);

/// HTTP/1.1 client with one pool of kept-alive connections per loop and target. Never follows a
/// redirect. A pooled connection that turns out to have been closed before the request came is
/// replaced once by a new one. Dies on any thread, before the loops.
class Client {
public:
    explicit Client(runtime::EventLoops& loops, const ClientLimits& limits = {});
    ~Client();

    /// kUpstreamError: cannot resolve or connect, closed or garbage before the headers' end;
    /// kUpstreamTimeout; kCancelled.
    awaitable<Result<std::unique_ptr<ClientResponse>>> send(const Target& target,
                                                            const ClientRequest& request);
    /// Closes the idle connections of the calling loop.
    void close_idle();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace quire::http
