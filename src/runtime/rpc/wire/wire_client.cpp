#include "runtime/rpc/wire/wire_client.hpp"

#include "runtime/rpc/wire/http2_session.hpp"
#include "runtime/rpc/wire/wire_format.hpp"
#include "runtime/task_group.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <future>
#include <list>

namespace quire::rpc {
namespace {

using asio::ip::tcp;
using asio::local::stream_protocol;
using boost::system::error_code;

Error late_error() { return {ErrorCode::kDeadlineExceeded, "the call's deadline passed"}; }

class WireClientStream final : public ClientStream {
public:
    WireClientStream(asio::io_context& loop, std::shared_ptr<Http2Stream> stream,
                     SteadyTime deadline)
        : stream_(std::move(stream)) {
        if (deadline == SteadyTime::max()) return;
        deadline_.emplace(loop, [this] {
            is_late_ = true;
            stream_->reset(Http2Code::kCancel);
        });
        deadline_->expire_at(deadline);
    }
    ~WireClientStream() override {
        if (!is_ended_) stream_->reset(Http2Code::kCancel);
    }

    awaitable<Result<void>> write(const google::protobuf::MessageLite& message) override {
        const auto written = co_await stream_->write(message);
        if (written || stream_->is_peer_ended()) co_return Result<void>();
        co_return ended_by(written.error());
    }
    void end() override { stream_->end(); }

    awaitable<Result<bool>> read(google::protobuf::MessageLite& message) override {
        const auto has_message = co_await stream_->read(bytes_);
        if (!has_message) co_return ended_by(has_message.error());
        if (!*has_message) {
            is_ended_ = true;
            const auto ended = to_result(stream_->headers());
            if (!ended) co_return ended.error();
            co_return false;
        }
        if (!message.ParseFromString(bytes_)) {
            cancel();
            co_return Error(ErrorCode::kInternalError,
                            "the service's answer is no " + message.GetTypeName());
        }
        co_return true;
    }
    void cancel() override { stream_->reset(Http2Code::kCancel); }
    bool was_refused() const override { return stream_->was_refused(); }

private:
    Error ended_by(const Error& error) {
        cancel();
        return is_late_ ? late_error() : error;
    }

    std::shared_ptr<Http2Stream> stream_;
    std::optional<runtime::Deadline> deadline_;
    std::string bytes_;
    bool is_ended_ = false;
    bool is_late_ = false;
};

}  // namespace

std::string WireAddress::text() const {
    if (!unix_path.empty()) return unix_path;
    return fmt::format("{}:{}", tcp.host, tcp.port);
}

/// One loop's connection.
class WireChannel::Connector : public std::enable_shared_from_this<Connector> {
public:
    Connector(asio::io_context& loop, WireAddress address, const Clock& clock, WireLimits limits)
        : loop_(loop), address_(std::move(address)), clock_(clock), limits_(limits) {}

    awaitable<Result<std::unique_ptr<ClientStream>>> start(const CallContext& ctx,
                                                           std::string_view path);
    void close();
    void join() { connecting_.join_blocking(); }

private:
    /// A call that waits; listed until it is told how the attempt ended, or leaves.
    struct Waiter {
        explicit Waiter(Connector& connector)
            : connected(connector.loop_.get_executor()),
              list(connector.waiting_),
              place(list.insert(list.end(), this)) {}
        ~Waiter() {
            if (is_listed) list.erase(place);
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;

        runtime::Wakeup connected;
        std::list<Waiter*>& list;
        std::list<Waiter*>::iterator place;
        bool is_listed = true;
    };

    awaitable<Result<void>> wait_for_session(SteadyTime deadline);
    awaitable<void> connect(std::shared_ptr<Connector> self);
    awaitable<Result<void>> connect_to_address();
    template <class Socket>
    awaitable<Result<void>> connect_to(const typename Socket::endpoint_type& endpoint);
    Error unreachable(std::string_view why) const;

    asio::io_context& loop_;
    WireAddress address_;
    const Clock& clock_;
    WireLimits limits_;
    std::shared_ptr<Http2Session> session_;              ///< takes the new calls
    std::vector<std::weak_ptr<Http2Session>> sessions_;  ///< that one, and those that are leaving
    runtime::TaskGroup connecting_;
    bool is_connecting_ = false;
    bool is_closed_ = false;
    std::optional<Error> failure_;  ///< of the last attempt
    std::list<Waiter*> waiting_;
};

Error WireChannel::Connector::unreachable(std::string_view why) const {
    return {ErrorCode::kOverloaded,
            fmt::format("the service at {} cannot be reached: {}", address_.text(), why)};
}

awaitable<Result<std::unique_ptr<ClientStream>>> WireChannel::Connector::start(
    const CallContext& ctx, std::string_view path) {
    const std::string_view authority = address_.unix_path.empty() ? "quire" : "localhost";
    for (int attempt = 1;; ++attempt) {
        if (!session_ || !session_->takes_calls()) {
            const auto connected = co_await wait_for_session(ctx.deadline);
            if (!connected) co_return connected.error();
        }
        auto opened = session_->open(to_headers(ctx, path, authority, clock_.steady()));
        if (opened) {
            std::unique_ptr<ClientStream> stream =
                std::make_unique<WireClientStream>(loop_, *std::move(opened), ctx.deadline);
            co_return stream;
        }
        // That its streams are used up is known only now; the next connection has all of them.
        if (session_->takes_calls() || attempt == kAttemptsMax) co_return opened.error();
    }
}

/// Many calls may wait for one attempt; each of them may leave, at its deadline or before.
awaitable<Result<void>> WireChannel::Connector::wait_for_session(SteadyTime deadline) {
    if (is_closed_) co_return unreachable("the channel is closed");
    Waiter waiter(*this);  // before the attempt, which may end at once
    if (!std::exchange(is_connecting_, true)) {
        failure_.reset();
        connecting_.spawn(loop_.get_executor(), "connect to a service",
                          connect(shared_from_this()));
    }
    runtime::Deadline late(loop_, [&waiter] { waiter.connected.notify(); });
    late.expire_at(deadline);
    const auto waited = co_await waiter.connected.wait();
    if (!waited) co_return waited.error();
    if (waiter.is_listed) co_return late_error();
    if (failure_) co_return *failure_;
    if (!session_ || !session_->takes_calls()) co_return unreachable("the connection was lost");
    co_return Result<void>();
}

awaitable<void> WireChannel::Connector::connect(std::shared_ptr<Connector> self) {
    Result<void> done;
    try {
        done = co_await connect_to_address();
    } catch (const std::exception& e) {
        done = unreachable(e.what());  // a path that is too long for a socket, for one
    }
    if (!done) self->failure_ = done.error();
    is_connecting_ = false;
    for (Waiter* waiter : std::exchange(waiting_, {})) {
        waiter->is_listed = false;
        waiter->connected.notify();
    }
}

awaitable<Result<void>> WireChannel::Connector::connect_to_address() {
    if (!address_.unix_path.empty()) {
        const stream_protocol::endpoint endpoint(address_.unix_path);
        auto done = co_await connect_to<stream_protocol::socket>(endpoint);
        co_return done;
    }
    error_code ec;
    const std::string& host = address_.tcp.host;
    const auto ip = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, ec);
    if (ec) co_return unreachable("its host is no IP address");
    const tcp::endpoint endpoint(ip, address_.tcp.port);
    auto done = co_await connect_to<tcp::socket>(endpoint);
    co_return done;
}

template <class Socket>
awaitable<Result<void>> WireChannel::Connector::connect_to(
    const typename Socket::endpoint_type& endpoint) {
    Socket socket(loop_);
    bool is_late = false;
    runtime::Deadline deadline(loop_, [&] {
        is_late = true;
        error_code ignored;
        socket.close(ignored);
    });
    deadline.expire_after(limits_.connect);
    const auto [ec] = co_await socket.async_connect(endpoint, as_value);
    if (is_late) co_return unreachable("no connection in time");
    if (ec) co_return unreachable(ec.message());
    if (is_closed_) co_return unreachable("the channel is closed");
    if constexpr (std::is_same_v<Socket, tcp::socket>) {
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
    }
    session_ = std::make_shared<Http2Session>(loop_, Http2Session::Socket(std::move(socket)),
                                              Http2Role::kClient, limits_);
    std::erase_if(sessions_, [](const auto& session) { return session.expired(); });
    sessions_.emplace_back(session_);
    session_->start();
    co_return Result<void>();
}

void WireChannel::Connector::close() {
    is_closed_ = true;
    connecting_.cancel();
    session_.reset();
    for (const auto& each : std::exchange(sessions_, {})) {
        if (const auto session = each.lock()) session->close();
    }
}

WireChannel::WireChannel(runtime::EventLoops& loops, WireAddress address, const Clock& clock,
                         WireLimits limits)
    : connectors_(loops,
                  [&](asio::io_context& loop) {
                      return std::make_unique<std::shared_ptr<Connector>>(
                          std::make_shared<Connector>(loop, address, clock, limits));
                  }),
      loops_(loops) {}

WireChannel::~WireChannel() = default;

void WireChannel::close() {
    for (std::size_t i = 0; i < loops_.size(); ++i) {
        const std::shared_ptr<Connector> connector = *connectors_.all()[i];
        std::promise<void> closed;
        asio::post(loops_.loop(i), [&] {
            connector->close();
            closed.set_value();
        });
        closed.get_future().wait();
        connector->join();
    }
}

awaitable<Result<std::unique_ptr<ClientStream>>> WireChannel::start(const CallContext& ctx,
                                                                    std::string_view path) {
    const std::shared_ptr<Connector> connector = connectors_.here();
    auto stream = co_await connector->start(ctx, path);
    co_return stream;
}

}  // namespace quire::rpc
