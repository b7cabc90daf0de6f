#include "runtime/rpc/wire/wire_server.hpp"

#include "runtime/listener.hpp"
#include "runtime/rpc/wire/http2_session.hpp"
#include "runtime/rpc/wire/wire_call.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <set>

namespace quire::rpc {
class WireServer::Impl : public std::enable_shared_from_this<Impl> {
public:
    Impl(runtime::EventLoops& loops, const MethodRegistry& registry, const Clock& clock, Rng& rng,
         WireLimits limits)
        : loops_(loops), limits_(limits), deps_{methods_, clock, rng} {
        for (const Method& method : registry.all()) methods_.emplace(method.path(), &method);
    }

    Result<void> listen(const WireAddress& address);
    std::uint16_t port() const { return listener_ ? listener_->port() : std::uint16_t{0}; }
    std::size_t running_calls() const { return running_.load(); }
    void begin_drain();
    void stop();

private:
    /// A connection and the calls that run on it; used on its loop only, but for `loop`.
    struct Peer {
        asio::io_context* loop;
        std::shared_ptr<Http2Session> session;
        std::map<const Http2Stream*, std::shared_ptr<WireCall>> calls;
        std::set<const Http2Stream*>
            ended;  ///< whose handlers are over, and not yet all they wrote
        bool is_owner;
    };
    using Peers = std::list<std::shared_ptr<Peer>>;

    void add_peer(asio::io_context& loop, Http2Session::Socket socket, bool is_owner);
    void start_call(const std::shared_ptr<Peer>& peer, const std::shared_ptr<Http2Stream>& stream);
    void on_each(const std::function<void(Peer&)>& action);
    void count_down();

    runtime::EventLoops& loops_;
    WireLimits limits_;
    WireMethods methods_;
    WireCallDeps deps_;
    std::shared_ptr<runtime::Listener> listener_;
    std::atomic<std::size_t> running_{0};

    std::mutex mutex_;
    std::condition_variable changed_;
    Peers peers_;
    bool is_draining_ = false;
    bool is_stopping_ = false;
};

Result<void> WireServer::Impl::listen(const WireAddress& address) {
    if (!listener_) {
        listener_ = std::make_shared<runtime::Listener>(
            loops_, "wire",
            [weak = weak_from_this()](asio::io_context& loop, Http2Session::Socket socket,
                                      runtime::Listener::Kind kind) {
                const bool is_owner = kind == runtime::Listener::Kind::kUnix;
                if (const auto self = weak.lock())
                    self->add_peer(loop, std::move(socket), is_owner);
            });
    }
    if (!address.unix_path.empty()) return listener_->listen_unix(address.unix_path);
    boost::system::error_code ec;
    const auto ip = asio::ip::make_address(address.tcp.host, ec);
    if (address.tcp.host != "localhost" && !ec && !ip.is_loopback()) {
        return Error(ErrorCode::kInvalidValue,
                     fmt::format("services cannot listen on {}: only loopback, 127.0.0.1 or [::1], "
                                 "is offered",
                                 address.text()));
    }
    return listener_->listen_tcp(address.tcp);
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
    bool is_late = false;
    {
        const std::lock_guard lock(mutex_);
        if (is_stopping_ || peers_.size() >= limits_.connections_max) return;
        place = peers_.insert(peers_.end(), peer);
        is_late = is_draining_;
    }
    peer->session->on_call = [self = weak_from_this(),
                              weak = std::weak_ptr(peer)](const auto& stream) {
        const auto server = self.lock();
        const auto owner = weak.lock();
        if (server && owner) server->start_call(owner, stream);
    };
    peer->session->on_stream_closed = [self = weak_from_this(),
                                       weak = std::weak_ptr(peer)](Http2Stream& stream) {
        const auto owner = weak.lock();
        if (!owner) return;
        const auto call = owner->calls.find(&stream);
        if (call != owner->calls.end()) return WireCall::cancel(call->second);
        const auto server = self.lock();
        if (owner->ended.erase(&stream) > 0 && server) server->count_down();
    };
    peer->session->on_closed = [self = shared_from_this(), place] {
        const std::lock_guard lock(self->mutex_);
        self->peers_.erase(place);
        self->changed_.notify_all();
    };
    peer->session->start();
    if (is_late) peer->session->turn_away();
}

void WireServer::Impl::start_call(const std::shared_ptr<Peer>& peer,
                                  const std::shared_ptr<Http2Stream>& stream) {
    auto call = std::make_shared<WireCall>(*peer->loop, stream, deps_, peer->is_owner);
    peer->calls.emplace(stream.get(), call);
    running_.fetch_add(1);
    // The handler keeps its connection's memory alive, whatever becomes of the connection.
    auto on_end = [self = shared_from_this(), peer, stream, call](const std::exception_ptr&) {
        peer->calls.erase(stream.get());
        if (stream->is_closed()) return self->count_down();
        peer->ended.insert(stream.get());
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
    {
        const std::lock_guard lock(mutex_);
        is_draining_ = true;  // what was accepted before may still be on its way to its loop
    }
    on_each([](Peer& peer) { peer.session->go_away(); });
    if (listener_) listener_->stop();
}

void WireServer::Impl::stop() {
    if (listener_) listener_->stop();
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

Result<void> WireServer::listen(const WireAddress& address) { return impl_->listen(address); }

std::uint16_t WireServer::port() const { return impl_->port(); }
std::size_t WireServer::running_calls() const { return impl_->running_calls(); }
void WireServer::begin_drain() { impl_->begin_drain(); }
void WireServer::stop() { impl_->stop(); }

}  // namespace quire::rpc
