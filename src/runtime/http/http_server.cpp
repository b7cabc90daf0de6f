#include "runtime/http/http_server.hpp"

#include "runtime/http/connection.hpp"
#include "runtime/listener.hpp"
#include "runtime/metrics.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <condition_variable>
#include <list>
#include <mutex>

namespace quire::http {

class Server::Impl : public std::enable_shared_from_this<Impl> {
public:
    Impl(runtime::EventLoops& loops, std::shared_ptr<ServerShared> shared)
        : loops_(loops),
          shared_(std::move(shared)),
          open_(runtime::gauge_family("quire_http_connections", "Open HTTP connections.")
                    .Add({{"side", "server"}})) {}

    Result<void> listen(const Listen& where);
    std::uint16_t port() const { return listener_ ? listener_->port() : std::uint16_t{0}; }

    void begin_drain();
    void stop();
    std::size_t active() const { return shared_->active.load(); }

private:
    struct Entry {
        asio::io_context* loop;
        std::weak_ptr<Connection> connection;
    };

    void start(asio::io_context& loop, Connection::Socket socket);
    void on_each(void (Connection::*action)());

    runtime::EventLoops& loops_;
    std::shared_ptr<ServerShared> shared_;
    std::shared_ptr<runtime::Listener> listener_;
    prometheus::Gauge& open_;

    std::mutex mutex_;
    std::condition_variable emptied_;
    std::list<Entry> connections_;
    bool is_stopping_ = false;
};

Result<void> Server::Impl::listen(const Listen& where) {
    if (!listener_) {
        listener_ = std::make_shared<runtime::Listener>(
            loops_, shared_->name,
            [weak = weak_from_this()](asio::io_context& loop, Connection::Socket socket,
                                      runtime::Listener::Kind /*kind*/) {
                if (const auto self = weak.lock()) self->start(loop, std::move(socket));
            });
    }
    if (!where.unix_path.empty()) return listener_->listen_unix(where.unix_path);
    return listener_->listen_tcp(where.tcp);
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
    if (listener_) listener_->stop();
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

Result<void> Server::listen(const Listen& where) { return impl_->listen(where); }

std::uint16_t Server::port() const { return impl_->port(); }
void Server::begin_drain() { impl_->begin_drain(); }
std::size_t Server::active_exchanges() const { return impl_->active(); }
void Server::stop() { impl_->stop(); }

}  // namespace quire::http
