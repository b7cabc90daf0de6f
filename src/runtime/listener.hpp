#pragma once

#include "base/result.hpp"
#include "runtime/event_loops.hpp"
#include "runtime/http/url.hpp"
#include "runtime/task_group.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace quire::runtime {

/// Accepts connections on TCP and on Unix sockets and spreads them over the loops, round robin.
class Listener : public std::enable_shared_from_this<Listener> {
public:
    using Socket = asio::generic::stream_protocol::socket;
    enum class Kind { kTcp, kUnix };
    /// Runs on the connection's own loop.
    using OnSocket = std::function<void(asio::io_context& loop, Socket socket, Kind kind)>;

    Listener(EventLoops& loops, std::string name, OnSocket on_socket);

    /// kInvalidValue says why it cannot. Port 0 picks a free one.
    Result<void> listen_tcp(const http::HostPort& where);
    /// The socket is for its owner only (0600); one that was left behind is replaced.
    Result<void> listen_unix(const std::string& path);
    /// Of TCP; what port 0 became.
    std::uint16_t port() const { return port_; }
    /// Returns when nothing is accepted any more. From a thread that is no loop.
    void stop();

private:
    template <class Acceptor>
    awaitable<void> accept_loop(std::shared_ptr<Listener> self, Acceptor& acceptor);

    EventLoops& loops_;
    std::string name_;
    OnSocket on_socket_;
    asio::ip::tcp::acceptor tcp_;
    asio::local::stream_protocol::acceptor unix_;
    std::uint16_t port_ = 0;
    TaskGroup accepting_;
};

}  // namespace quire::runtime
