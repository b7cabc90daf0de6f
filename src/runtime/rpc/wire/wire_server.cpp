#include "runtime/rpc/wire/wire_server.hpp"

#include "runtime/log.hpp"
#include "runtime/rpc/wire/http2_session.hpp"
#include "runtime/rpc/wire/wire_call.hpp"
#include "runtime/task_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <sys/stat.h>
#include <unistd.h>

namespace quire::rpc {
namespace {

using asio::ip::tcp;
using asio::local::stream_protocol;
using boost::system::error_code;

}  // namespace

class WireServer::Impl : public std::enable_shared_from_this<Impl> {
public:
    Impl(runtime::EventLoops& loops, const MethodRegistry& registry, const Clock& clock, Rng& rng,
         WireLimits limits)
        : loops_(loops),
          limits_(limits),
          deps_{registry, methods_, clock, rng},
          tcp_(loops.loop(0)),
          unix_(loops.loop(0)) {
        for (const Method& method : registry.all()) methods_.emplace(method.path(), &method);
    }

    Result<void> listen_tcp(const http::HostPort& where);
    Result<void> listen_unix(const std::string& path);
    std::uint16_t port() const { return port_; }
    std::size_t running_calls() const { return running_.load(); }
    void begin_drain();
    void stop();

private:
    /// A connection and the calls that run on it; used on its loop only, but for `loop`.
    struct Peer {
        asio::io_context* loop;
        std::shared_ptr<Http2Session> session;
        std::map<const Http2Stream*, std::shared_ptr<WireCall>> calls;
        bool is_owner;
    };
    using Peers = std::list<std::shared_ptr<Peer>>;

    template <class Acceptor>
    awaitable<void> accept_loop(std::shared_ptr<Impl> self, Acceptor& acceptor);
    void add_peer(asio::io_context& loop, Http2Session::Socket socket, bool is_owner);
    void start_call(const std::shared_ptr<Peer>& peer, const std::shared_ptr<Http2Stream>& stream);
    void on_each(const std::function<void(Peer&)>& action);
    void count_down();

    runtime::EventLoops& loops_;
    WireLimits limits_;
    WireMethods methods_;
    WireCallDeps deps_;
    tcp::acceptor tcp_;
    stream_protocol::acceptor unix_;
    std::uint16_t port_ = 0;
    runtime::TaskGroup accepting_;
    std::atomic<std::size_t> running_{0};

    std::mutex mutex_;
    std::condition_variable changed_;
    Peers peers_;
    bool is_stopping_ = false;
};

Result<void> WireServer::Impl::listen_tcp(const http::HostPort& where) {
    const auto cannot = [&](const std::string& why) {
        return Error(ErrorCode::kInvalidValue, fmt::format("services cannot listen on {}:{}: {}",
                                                           where.host, where.port, why));
    };
    error_code ec;
    const auto address =
        asio::ip::make_address(where.host == "localhost" ? "127.0.0.1" : where.host, ec);
    if (ec) return cannot("not an IP address");
    if (!address.is_loopback()) return cannot("only loopback, 127.0.0.1 or [::1], is offered");
    const tcp::endpoint endpoint(address, where.port);
    tcp_.open(endpoint.protocol(), ec);
    if (!ec) tcp_.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) tcp_.bind(endpoint, ec);
    if (!ec) tcp_.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return cannot(ec.message());
    port_ = tcp_.local_endpoint(ec).port();
    accepting_.spawn(loops_.loop(0).get_executor(), "wire accept",
                     accept_loop(shared_from_this(), tcp_));
    return {};
}

Result<void> WireServer::Impl::listen_unix(const std::string& path) {
    const auto cannot = [&](const std::string& why) {
        return Error(ErrorCode::kInvalidValue,
                     fmt::format("services cannot listen on {}: {}", path, why));
    };
    if (path.size() > 107) return cannot("the path is longer than 107 bytes");
    ::unlink(path.c_str());
    error_code ec;
    unix_.open(stream_protocol(), ec);
    if (!ec) unix_.bind(stream_protocol::endpoint(path), ec);
    if (!ec && ::chmod(path.c_str(), 0600) != 0) return cannot("chmod 0600 failed");
    if (!ec) unix_.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return cannot(ec.message());
    accepting_.spawn(loops_.loop(0).get_executor(), "wire accept",
                     accept_loop(shared_from_this(), unix_));
    return {};
}

template <class Acceptor>
awaitable<void> WireServer::Impl::accept_loop(std::shared_ptr<Impl> self, Acceptor& acceptor) {
    while (acceptor.is_open()) {
        asio::io_context& loop = loops_.next();
        auto [ec, socket] = co_await acceptor.async_accept(loop, as_value);
        if (ec == asio::error::operation_aborted) break;
        if (ec) {
            // Out of descriptors, mostly: what is open may end meanwhile.
            QUIRE_LOG(warn, "accept failed", {"server", "wire"}, {"why", ec.message()});
            const auto slept = co_await runtime::sleep_for(std::chrono::milliseconds(100));
            if (!slept) break;
            continue;
        }
        constexpr bool kIsTcp = std::is_same_v<Acceptor, tcp::acceptor>;
        if constexpr (kIsTcp) socket.set_option(tcp::no_delay(true), ec);
        asio::post(loop, [self, &loop, accepted = std::move(socket)]() mutable {
            self->add_peer(loop, Http2Session::Socket(std::move(accepted)), !kIsTcp);
        });
    }
}

/// On the connection's own loop.
void WireServer::Impl::add_peer(asio::io_context& loop, Http2Session::Socket socket,
                                bool is_owner) {
    auto peer = std::make_shared<Peer>();
    peer->loop = &loop;
    peer->is_owner = is_owner;
    peer->session =
        std::make_shared<Http2Session>(loop, std::move(socket), Http2Role::kServer, limits_);
    Peers::iterator place;
    {
        const std::lock_guard lock(mutex_);
        if (is_stopping_ || peers_.size() >= limits_.connections_max) return;
        place = peers_.insert(peers_.end(), peer);
    }
    peer->session->on_call = [self = weak_from_this(),
                              weak = std::weak_ptr(peer)](const auto& stream) {
        const auto server = self.lock();
        const auto owner = weak.lock();
        if (server && owner) server->start_call(owner, stream);
    };
    peer->session->on_stream_closed = [weak = std::weak_ptr(peer)](Http2Stream& stream) {
        const auto owner = weak.lock();
        if (!owner) return;
        const auto call = owner->calls.find(&stream);
        if (call != owner->calls.end()) WireCall::cancel(call->second);
    };
    peer->session->on_closed = [self = shared_from_this(), place] {
        const std::lock_guard lock(self->mutex_);
        self->peers_.erase(place);
        self->changed_.notify_all();
    };
    peer->session->start();
}

void WireServer::Impl::start_call(const std::shared_ptr<Peer>& peer,
                                  const std::shared_ptr<Http2Stream>& stream) {
    auto call = std::make_shared<WireCall>(*peer->loop, stream, deps_, peer->is_owner);
    peer->calls.emplace(stream.get(), call);
    running_.fetch_add(1);
    // The handler keeps its connection's memory alive, whatever becomes of the connection.
    auto on_end = [self = shared_from_this(), peer, stream, call](const std::exception_ptr&) {
        peer->calls.erase(stream.get());
        self->count_down();
    };
    asio::co_spawn(*peer->loop, call->run(),
                   asio::bind_cancellation_slot(call->cancel_slot(), std::move(on_end)));
}

void WireServer::Impl::count_down() {
    const std::lock_guard lock(mutex_);
    running_.fetch_sub(1);
    changed_.notify_all();
}

void WireServer::Impl::on_each(const std::function<void(Peer&)>& action) {
    const std::lock_guard lock(mutex_);
    for (const auto& peer : peers_) {
        asio::post(*peer->loop, [peer, action] { action(*peer); });
    }
}

void WireServer::Impl::begin_drain() {
    on_each([](Peer& peer) { peer.session->go_away(); });
}

void WireServer::Impl::stop() {
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
    on_each([](Peer& peer) { peer.session->close(); });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return peers_.empty() && running_.load() == 0; });
}

WireServer::WireServer(runtime::EventLoops& loops, const MethodRegistry& registry,
                       const Clock& clock, Rng& rng, WireLimits limits)
    : impl_(std::make_shared<Impl>(loops, registry, clock, rng, limits)) {}

WireServer::~WireServer() = default;

Result<void> WireServer::listen(const WireAddress& address) {
    if (!address.unix_path.empty()) return impl_->listen_unix(address.unix_path);
    return impl_->listen_tcp(address.tcp);
}

std::uint16_t WireServer::port() const { return impl_->port(); }
std::size_t WireServer::running_calls() const { return impl_->running_calls(); }
void WireServer::begin_drain() { impl_->begin_drain(); }
void WireServer::stop() { impl_->stop(); }

}  // namespace quire::rpc
