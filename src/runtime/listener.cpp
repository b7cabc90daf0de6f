#include "runtime/listener.hpp"

#include "runtime/log.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <sys/stat.h>
#include <unistd.h>

namespace quire::runtime {

using asio::ip::tcp;
using asio::local::stream_protocol;
using boost::system::error_code;

Listener::Listener(EventLoops& loops, std::string name, OnSocket on_socket)
    : loops_(loops),
      name_(std::move(name)),
      on_socket_(std::move(on_socket)),
      tcp_(loops.loop(0)),
      unix_(loops.loop(0)) {}

Result<void> Listener::listen_tcp(const http::HostPort& where) {
    const auto cannot = [&](const std::string& why) {
        return Error(ErrorCode::kInvalidValue,
                     fmt::format("cannot listen on {}:{}: {}; choose another address or port 0",
                                 where.host, where.port, why));
    };
    error_code ec;
    const auto address =
        asio::ip::make_address(where.host == "localhost" ? "127.0.0.1" : where.host, ec);
    if (ec) return cannot("not an IP address");
    const tcp::endpoint endpoint(address, where.port);
    tcp_.open(endpoint.protocol(), ec);
    if (!ec) tcp_.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) tcp_.bind(endpoint, ec);
    if (!ec) tcp_.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return cannot(ec.message());
    port_ = tcp_.local_endpoint(ec).port();
    accepting_.spawn(loops_.loop(0).get_executor(), name_ + " accept",
                     accept_loop(shared_from_this(), tcp_));
    return {};
}

Result<void> Listener::listen_unix(const std::string& path) {
    const auto cannot = [&](const std::string& why) {
        return Error(ErrorCode::kInvalidValue, fmt::format("cannot listen on {}: {}", path, why));
    };
    if (path.size() > 107) return cannot("the path is longer than 107 bytes");
    ::unlink(path.c_str());
    error_code ec;
    unix_.open(stream_protocol(), ec);
    if (!ec) unix_.bind(stream_protocol::endpoint(path), ec);
    if (!ec && ::chmod(path.c_str(), 0600) != 0) return cannot("chmod 0600 failed");
    if (!ec) unix_.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return cannot(ec.message());
    accepting_.spawn(loops_.loop(0).get_executor(), name_ + " accept",
                     accept_loop(shared_from_this(), unix_));
    return {};
}

template <class Acceptor>
awaitable<void> Listener::accept_loop(std::shared_ptr<Listener> self, Acceptor& acceptor) {
    constexpr bool kIsTcp = std::is_same_v<Acceptor, tcp::acceptor>;
    while (acceptor.is_open()) {
        asio::io_context& loop = loops_.next();
        auto [ec, socket] = co_await acceptor.async_accept(loop, as_value);
        if (ec == asio::error::operation_aborted) break;
        if (ec) {
            // Out of descriptors, mostly: what is open may end meanwhile.
            QUIRE_LOG(warn, "accept failed", {"server", name_}, {"why", ec.message()});
            const auto slept = co_await sleep_for(std::chrono::milliseconds(100));
            if (!slept) break;
            continue;
        }
        if constexpr (kIsTcp) socket.set_option(tcp::no_delay(true), ec);
        asio::post(loop, [self, &loop, accepted = std::move(socket)]() mutable {
            self->on_socket_(loop, Socket(std::move(accepted)), kIsTcp ? Kind::kTcp : Kind::kUnix);
        });
    }
}

void Listener::stop() {
    asio::post(loops_.loop(0), [self = shared_from_this()] {
        error_code ec;
        self->tcp_.close(ec);
        self->unix_.close(ec);
    });
    accepting_.cancel();
    accepting_.join_blocking();
}

}  // namespace quire::runtime
