#pragma once

#include "runtime/deadline_timer.hpp"
#include "runtime/http/http_client.hpp"
#include "runtime/http/message_parser.hpp"
#include "runtime/metrics.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace quire::http {

/// The TLS settings of all outgoing connections: the system's certificates, TLS 1.2 or newer. Made
/// on first use, since reading the certificates takes milliseconds.
class TlsContext {
public:
    asio::ssl::context& get();

private:
    std::once_flag once_;
    std::optional<asio::ssl::context> context_;
};

/// One outgoing connection, on one loop; one exchange at a time.
class ClientConnection {
public:
    ClientConnection(asio::io_context& loop, TlsContext& tls);

    awaitable<Result<void>> connect(const Target& target, std::chrono::milliseconds timeout);
    /// The first of these that takes the connection; each has its share of the time.
    awaitable<Result<void>> connect_any(const std::vector<asio::ip::tcp::endpoint>& endpoints,
                                        SteadyTime by);
    /// Sends `text` and reads to the end of the answer's headers.
    awaitable<Result<void>> exchange(const std::string& text, const ClientTimeouts& timeouts);
    awaitable<Result<std::string_view>> read_body_some();
    void expire_at(SteadyTime when) { body_deadline_ = when; }

    ResponseParser& parser() { return *parser_; }
    /// After a failed exchange: the peer's end came without a byte of an answer, and `within` this
    /// time of the request. So soon it had closed before it saw the request.
    bool is_stale(std::chrono::milliseconds within) const {
        return ended_after_ && *ended_after_ <= within;
    }
    /// While idle: the peer has neither closed nor sent anything.
    bool is_usable();
    /// After an exchange: read to the end, and the peer keeps the connection.
    bool is_reusable() const;

private:
    using TlsStream = asio::ssl::stream<asio::generic::stream_protocol::socket&>;

    struct LookUp;

    awaitable<Result<void>> connect_tcp(const Url& url, SteadyTime by);
    awaitable<Result<std::vector<asio::ip::tcp::endpoint>>> look_up(const Url& url);
    awaitable<Result<void>> handshake(const std::string& host);
    awaitable<Result<void>> write(const std::string& text);
    /// Reads once and feeds the parser; false at the end of the connection.
    awaitable<Result<bool>> read_once();
    /// Why an exchange has no answer; notes whether the peer's end is the reason.
    Error unanswered(const Result<void>& written, const Result<bool>& read, SteadyTime begun);
    Error failed(std::string_view doing, const boost::system::error_code& ec) const;

    asio::io_context& loop_;
    TlsContext& tls_context_;
    asio::generic::stream_protocol::socket socket_;
    std::unique_ptr<TlsStream> tls_;
    runtime::Deadline deadline_;
    std::weak_ptr<LookUp> look_up_;  ///< while one runs
    bool has_timed_out_ = false;
    bool is_reset_ = false;
    bool is_broken_ = false;
    std::optional<SteadyTime::duration> ended_after_;  ///< since the unanswered request's begin
    std::string malformed_;  ///< what was wrong with the framing, "" while it is fine
    std::chrono::milliseconds between_bytes_{0};
    std::optional<SteadyTime> body_deadline_;
    std::optional<ResponseParser> parser_;
    std::vector<char> in_;
    std::size_t in_begin_ = 0;
    std::size_t in_end_ = 0;
    std::string given_;  ///< the body bytes handed out last
    std::string peer_;   ///< host:port for messages to the operator
    runtime::GaugeGuard open_;
};

}  // namespace quire::http
