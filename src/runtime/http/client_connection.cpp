#include "runtime/http/client_connection.hpp"

#include "runtime/wakeup.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <array>
#include <cstring>

namespace quire::http {

using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::uint32_t kHeaderBytesMax = 64 * 1024;
constexpr std::size_t kUnparsedBytesMax = kHeaderBytesMax + kReadBytes;

prometheus::Gauge& open_connections() {
    static prometheus::Gauge& gauge =
        runtime::gauge_family("quire_http_connections", "Open HTTP connections.")
            .Add({{"side", "client"}});
    return gauge;
}

/// What came behind an answer may wait inside the TLS engine, where a look at the socket does not
/// find it.
bool has_unread(SSL* ssl) {
    return SSL_has_pending(ssl) != 0 || BIO_ctrl_pending(SSL_get_rbio(ssl)) != 0;
}

}  // namespace

asio::ssl::context& TlsContext::get() {
    std::call_once(once_, [this] {
        context_.emplace(asio::ssl::context::tls_client);
        context_->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
        error_code ec;
        context_->set_default_verify_paths(ec);
        context_->set_verify_mode(asio::ssl::verify_peer);
    });
    return *context_;
}

/// A look-up cannot be stopped: Asio makes them one after the other in a thread, and a name server
/// may not answer for long. So nobody waits for its end but for the first of end, limit and
/// leaving.
struct ClientConnection::LookUp {
    explicit LookUp(asio::io_context& loop) : resolver(loop), is_over(loop.get_executor()) {}

    tcp::resolver resolver;
    runtime::Wakeup is_over;
    error_code ec = asio::error::operation_aborted;
    std::vector<tcp::endpoint> found;
};

ClientConnection::ClientConnection(asio::io_context& loop, TlsContext& tls)
    : loop_(loop),
      tls_context_(tls),
      socket_(loop),
      deadline_(loop,
                [this] {
                    has_timed_out_ = true;
                    error_code ec;
                    socket_.close(ec);
                    if (const auto look_up = look_up_.lock()) look_up->is_over.notify();
                }),
      open_(open_connections()) {}

awaitable<Result<void>> ClientConnection::connect(const Target& target,
                                                  std::chrono::milliseconds timeout) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) co_return cancelled_error();
    const SteadyTime by = SystemClock().steady() + timeout;
    deadline_.expire_at(by);
    peer_ = target.unix_path.empty() ? target.url.authority() : target.unix_path;
    if (!target.unix_path.empty()) {
        if (target.unix_path.size() >= sizeof(sockaddr_un::sun_path)) {
            co_return Error(ErrorCode::kInvalidValue,
                            fmt::format("the path of the socket {} is too long: at most {} bytes",
                                        target.unix_path, sizeof(sockaddr_un::sun_path) - 1));
        }
        const asio::local::stream_protocol::endpoint endpoint(target.unix_path);
        const auto [ec] = co_await socket_.async_connect(endpoint, as_value);
        if (ec) co_return failed("connect", ec);
    } else {
        const auto connected = co_await connect_tcp(target.url, by);
        if (!connected) co_return connected.error();
    }
    if (target.url.is_tls) {
        const auto secured = co_await handshake(target.url.host);
        if (!secured) co_return secured.error();
    }
    deadline_.clear();
    error_code ec;
    socket_.non_blocking(true, ec);
    co_return Result<void>();
}

awaitable<Result<void>> ClientConnection::connect_tcp(const Url& url, SteadyTime by) {
    error_code ec;
    std::vector<tcp::endpoint> endpoints;
    const auto address = asio::ip::make_address(url.host, ec);
    if (!ec) {
        endpoints.emplace_back(address, url.port);
    } else {
        QUIRE_CO_TRY(endpoints, look_up(url));
    }
    auto connected = co_await connect_any(endpoints, by);
    co_return connected;
}

awaitable<Result<void>> ClientConnection::connect_any(const std::vector<tcp::endpoint>& endpoints,
                                                      SteadyTime by) {
    const SystemClock clock;
    error_code ec = asio::error::host_not_found;
    auto left = static_cast<std::int64_t>(endpoints.size());
    for (const tcp::endpoint& endpoint : endpoints) {
        // One that never answers must leave time for the others.
        const SteadyTime now = clock.steady();
        deadline_.expire_at(now + (by - now) / left--);
        has_timed_out_ = false;
        if (socket_.is_open()) socket_.close(ec);
        std::tie(ec) = co_await socket_.async_connect(endpoint, as_value);
        if (!ec || (ec == asio::error::operation_aborted && !has_timed_out_)) break;
    }
    if (ec) co_return failed("connect", ec);
    deadline_.expire_at(by);
    socket_.set_option(tcp::no_delay(true), ec);
    co_return Result<void>();
}

awaitable<Result<std::vector<tcp::endpoint>>> ClientConnection::look_up(const Url& url) {
    const auto look_up = std::make_shared<LookUp>(loop_);
    look_up_ = look_up;
    look_up->resolver.async_resolve(url.host, std::to_string(url.port),
                                    [look_up](error_code ec, const auto& found) {
                                        look_up->ec = ec;
                                        for (const auto& entry : found)
                                            look_up->found.push_back(entry.endpoint());
                                        look_up->is_over.notify();
                                    });
    const auto woken = co_await look_up->is_over.wait();
    look_up->resolver.cancel();
    if (!woken) co_return woken.error();
    if (look_up->ec || has_timed_out_) co_return failed("resolve", look_up->ec);
    co_return std::move(look_up->found);
}

awaitable<Result<void>> ClientConnection::handshake(const std::string& host) {
    tls_ = std::make_unique<TlsStream>(socket_, tls_context_.get());
    SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str());
    tls_->set_verify_callback(asio::ssl::host_name_verification(host));
    const auto [ec] = co_await tls_->async_handshake(asio::ssl::stream_base::client, as_value);
    if (ec) co_return failed("secure the connection", ec);
    co_return Result<void>();
}

awaitable<Result<void>> ClientConnection::write(const std::string& text) {
    error_code ec;
    std::size_t sent = 0;
    if (tls_) {
        std::tie(ec, sent) = co_await asio::async_write(*tls_, asio::buffer(text), as_value);
    } else {
        // Mostly all of it fits the socket at once, without suspending.
        sent = socket_.write_some(asio::buffer(text), ec);
        if (ec == asio::error::would_block) ec.clear();
        if (!ec && sent < text.size()) {
            const auto rest = asio::buffer(text.data() + sent, text.size() - sent);
            std::tie(ec, sent) = co_await asio::async_write(socket_, rest, as_value);
        }
    }
    if (ec) co_return failed("send", ec);
    co_return Result<void>();
}

awaitable<Result<void>> ClientConnection::exchange(const std::string& text,
                                                   const ClientTimeouts& timeouts) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) co_return cancelled_error();
    is_reset_ = false;
    ended_after_.reset();
    body_deadline_.reset();
    parser_.emplace();
    parser_->header_limit(kHeaderBytesMax);
    parser_->body_limit(boost::none);
    between_bytes_ = timeouts.between_bytes;
    in_begin_ = in_end_ = 0;
    deadline_.expire_after(timeouts.first_byte);
    const SteadyTime begun = SystemClock().steady();
    const auto written = co_await write(text);
    // Whoever refuses a long request may answer and close before it has read it all.
    is_broken_ = !written;
    if (!written && written.error().code() != ErrorCode::kUpstreamError) {
        co_return written.error();
    }
    while (!parser_->is_header_done()) {
        const auto read = co_await read_once();
        if (read && *read) continue;
        co_return unanswered(written, read, begun);
    }
    deadline_.clear();
    if (parser_->status >= 100 && parser_->status < 200) {
        co_return Error(ErrorCode::kUpstreamError, "an interim answer instead of a final one");
    }
    co_return Result<void>();
}

Error ClientConnection::unanswered(const Result<void>& written, const Result<bool>& read,
                                   SteadyTime begun) {
    Error error = read ? failed("answer", asio::error::eof) : read.error();
    // A limit of ours and a cancellation say nothing about the peer.
    if (error.code() != ErrorCode::kUpstreamError) return error;
    const bool is_end = read || is_reset_ || !written;
    if (is_end && !parser_->got_some()) ended_after_ = SystemClock().steady() - begun;
    return written ? error : written.error();
}

awaitable<Result<std::string_view>> ClientConnection::read_body_some() {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) co_return cancelled_error();
    if (body_deadline_) {
        deadline_.expire_at(*body_deadline_);
    } else {
        deadline_.expire_after(between_bytes_);
    }
    while (parser_->body.empty() && !parser_->is_done()) {
        if (!malformed_.empty()) co_return Error(ErrorCode::kUpstreamError, malformed_);
        const auto read = co_await read_once();
        if (!read) co_return read.error();
        if (!*read) {
            error_code ec;
            parser_->put_eof(ec);
            is_broken_ = true;
            if (ec) co_return failed("answer", asio::error::eof);
            break;
        }
    }
    deadline_.clear();
    given_.clear();
    given_.swap(parser_->body);
    co_return std::string_view(given_);
}

awaitable<Result<bool>> ClientConnection::read_once() {
    // One that came while nothing was waited for would not be seen before the next bytes.
    const auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) co_return cancelled_error();
    error_code ec;
    if (in_begin_ == in_end_) {
        if (in_.empty()) in_.resize(kReadBytes);
        in_begin_ = in_end_ = 0;
    } else if (in_end_ == in_.size()) {
        // A header that did not fit: move it to the front, or make room up to its limit.
        std::memmove(in_.data(), in_.data() + in_begin_, in_end_ - in_begin_);
        in_end_ -= in_begin_;
        in_begin_ = 0;
        if (in_end_ == in_.size()) {
            // The parser has a limit for a head, but none for a line of chunked framing.
            if (in_.size() >= kUnparsedBytesMax) {
                is_broken_ = true;
                malformed_ = "not a valid HTTP answer: a line without an end";
                co_return Error(ErrorCode::kUpstreamError, malformed_);
            }
            in_.resize(in_.size() + kReadBytes);
        }
    }
    const auto room = asio::buffer(in_.data() + in_end_, in_.size() - in_end_);
    std::size_t bytes = 0;
    if (tls_) {
        std::tie(ec, bytes) = co_await tls_->async_read_some(room, as_value);
    } else {
        std::tie(ec, bytes) = co_await socket_.async_read_some(room, as_value);
    }
    if (ec == asio::error::eof || ec == asio::ssl::error::stream_truncated) co_return false;
    if (ec) {
        is_reset_ = ec == asio::error::connection_reset;
        co_return failed("answer", ec);
    }
    in_end_ += bytes;
    while (in_begin_ != in_end_ && !parser_->is_done()) {
        const std::string_view unread(in_.data() + in_begin_, in_end_ - in_begin_);
        const std::size_t used = parser_->feed(unread, ec);
        in_begin_ += used;
        if (ec == beast_http::error::need_more) break;
        if (ec) {
            // What came before the fault is valid and is handed out first.
            is_broken_ = true;
            malformed_ = fmt::format("not a valid HTTP answer: {}", ec.message());
            if (!parser_->body.empty()) break;
            co_return Error(ErrorCode::kUpstreamError, malformed_);
        }
        if (used == 0) break;
    }
    co_return true;
}

bool ClientConnection::is_usable() {
    if (!socket_.is_open()) return false;
    error_code ec;
    char byte = 0;
    const std::size_t got =
        socket_.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, ec);
    return got == 0 && (ec == asio::error::would_block || ec == asio::error::try_again);
}

bool ClientConnection::is_reusable() const {
    return !is_broken_ && parser_ && parser_->is_done() && parser_->keep_alive() &&
           !parser_->need_eof() && parser_->body.empty() && in_begin_ == in_end_ &&
           socket_.is_open() && !(tls_ && has_unread(tls_->native_handle()));
}

Error ClientConnection::failed(std::string_view doing, const error_code& ec) const {
    if (has_timed_out_) {
        return {ErrorCode::kUpstreamTimeout, fmt::format("{} did not {} in time", peer_, doing)};
    }
    if (ec == asio::error::operation_aborted) return cancelled_error();
    if (ec == asio::error::no_descriptors) {
        return {ErrorCode::kOverloaded, "this process has no file descriptor left; retry later"};
    }
    return {ErrorCode::kUpstreamError,
            fmt::format("{}: cannot {}: {}", peer_, doing, ec.message())};
}

}  // namespace quire::http
