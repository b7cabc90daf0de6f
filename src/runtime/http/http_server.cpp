#include "runtime/http/http_server.hpp"

#include "runtime/http/connection.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "runtime/task_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>

#include <condition_variable>
#include <list>
#include <mutex>
#include <sys/stat.h>
#include <unistd.h>

namespace quire::http {

using asio::ip::tcp;
using asio::local::stream_protocol;
using boost::system::error_code;

class Server::Impl : public std::enable_shared_from_this<Impl> {
public:
    Impl(runtime::EventLoops& loops, std::shared_ptr<ServerShared> shared)
        : loops_(loops),
          shared_(std::move(shared)),
          tcp_(loops.loop(0)),
          unix_(loops.loop(0)),
          open_(runtime::gauge_family("quire_http_connections", "Open HTTP connections.")
                    .Add({{"side", "server"}})) {}

    Result<void> listen_tcp(const HostPort& where);
    Result<void> listen_unix(const std::string& path);
    std::uint16_t port() const { return port_; }

    void begin_drain();
    void stop();
    std::size_t active() const { return shared_->active.load(); }

private:
    struct Entry {
        asio::io_context* loop;
        std::weak_ptr<Connection> connection;
    };

    template <class Acceptor>
    awaitable<void> accept_loop(std::shared_ptr<Impl> self, Acceptor& acceptor);
    void start(asio::io_context& loop, Connection::Socket socket);
    void on_each(void (Connection::*action)());

    runtime::EventLoops& loops_;
    std::shared_ptr<ServerShared> shared_;
    tcp::acceptor tcp_;
    stream_protocol::acceptor unix_;
    std::uint16_t port_ = 0;
    prometheus::Gauge& open_;
    runtime::TaskGroup accepting_;

    std::mutex mutex_;
    std::condition_variable emptied_;
    std::list<Entry> connections_;
    bool is_stopping_ = false;
};

Result<void> Server::Impl::listen_tcp(const HostPort& where) {
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
    accepting_.spawn(loops_.loop(0).get_executor(), shared_->name + " accept",
                     accept_loop(shared_from_this(), tcp_));
    return {};
}

Result<void> Server::Impl::listen_unix(const std::string& path) {
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
    accepting_.spawn(loops_.loop(0).get_executor(), shared_->name + " accept",
                     accept_loop(shared_from_this(), unix_));
    return {};
}

template <class Acceptor>
awaitable<void> Server::Impl::accept_loop(std::shared_ptr<Impl> self, Acceptor& acceptor) {
    while (acceptor.is_open()) {
        asio::io_context& loop = loops_.next();
        auto [ec, socket] = co_await acceptor.async_accept(loop, as_value);
        if (ec == asio::error::operation_aborted) break;
        if (ec) {
            // Out of descriptors, mostly: what is open may end meanwhile.
            QUIRE_LOG(warn, "accept failed", {"server", shared_->name}, {"why", ec.message()});
            const auto slept = co_await runtime::sleep_for(std::chrono::milliseconds(100));
            if (!slept) break;
            continue;
        }
        if constexpr (std::is_same_v<Acceptor, tcp::acceptor>) {
            socket.set_option(tcp::no_delay(true), ec);
        }
        asio::post(loop, [this, self, &loop, accepted = std::move(socket)]() mutable {
            start(loop, Connection::Socket(std::move(accepted)));
        });
    }
}

/// On the connection's own loop, since its deadlines belong there.
void Server::Impl::start(asio::io_context& loop, Connection::Socket socket) {
    auto connection = std::make_shared<Connection>(loop, std::move(socket), shared_);
    std::list<Entry>::iterator place;
    {
        const std::lock_guard lock(mutex_);
        if (is_stopping_ || connections_.size() >= shared_->limits.connections_max) return;
        place = connections_.insert(connections_.end(), {&loop, connection});
    }
    open_.Increment();
    auto on_end = [self = shared_from_this(), connection, place](const std::exception_ptr&) {
        self->open_.Decrement();
        const std::lock_guard lock(self->mutex_);
        self->connections_.erase(place);
        self->emptied_.notify_all();
    };
    asio::co_spawn(loop, connection->run(),
                   asio::bind_cancellation_slot(connection->cancel_slot(), std::move(on_end)));
}

void Server::Impl::on_each(void (Connection::*action)()) {
    const std::lock_guard lock(mutex_);
    for (const Entry& entry : connections_) {
        asio::post(*entry.loop, [weak = entry.connection, action] {
            if (const auto connection = weak.lock()) ((*connection).*action)();
        });
    }
}

void Server::Impl::begin_drain() {
    shared_->is_draining = true;
    on_each(&Connection::close_if_idle);
}

void Server::Impl::stop() {
    shared_->is_draining = true;
    asio::post(loops_.loop(0), [self = shared_from_this()] {
        error_code ec;
        self->tcp_.close(ec);
        self->unix_.close(ec);
    });
    accepting_.cancel();
    accepting_.join_blocking();
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    on_each(&Connection::shut_down);
    std::unique_lock lock(mutex_);
    emptied_.wait(lock, [this] { return connections_.empty(); });
}

Server::Server(runtime::EventLoops& loops, std::string name, ServerLimits limits, Handler handler,
               ErrorPage error_page) {
    auto shared = std::make_shared<ServerShared>();
    shared->name = std::move(name);
    shared->limits = limits;
    shared->handler = std::move(handler);
    shared->error_page = std::move(error_page);
    impl_ = std::make_shared<Impl>(loops, std::move(shared));
}

Server::~Server() = default;

Result<void> Server::listen(const Listen& where) {
    if (!where.unix_path.empty()) return impl_->listen_unix(where.unix_path);
    return impl_->listen_tcp(where.tcp);
}

std::uint16_t Server::port() const { return impl_->port(); }
void Server::begin_drain() { impl_->begin_drain(); }
std::size_t Server::active_exchanges() const { return impl_->active(); }
void Server::stop() { impl_->stop(); }

}  // namespace quire::http
