#pragma once

#include "runtime/deadline_timer.hpp"
#include "runtime/http/http_server.hpp"
#include "runtime/http/message_parser.hpp"
#include "runtime/http/output_buffer.hpp"
#include "runtime/wakeup.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quire::http {

/// What the connections of one server share.
struct ServerShared {
    std::string name;
    ServerLimits limits;
    Handler handler;
    Server::ErrorPage error_page;
    std::atomic<bool> is_draining{false};
    std::atomic<std::size_t> active{0};
    std::atomic<std::size_t> bodies_bytes{0};  ///< held for handlers
};

/// One connection of the server, on one loop. A read is always under way while a handler runs: the
/// bytes wait for the next request, and an end of file means that the client left. Once as many
/// wait as there is room for, the socket is asked now and then instead.
class Connection final : public Exchange, public std::enable_shared_from_this<Connection> {
public:
    using Socket = asio::generic::stream_protocol::socket;

    Connection(asio::io_context& loop, Socket socket, std::shared_ptr<ServerShared> server);

    /// The connection's life: request after request. Its caller binds `cancel_slot`.
    awaitable<void> run();
    asio::cancellation_slot cancel_slot() { return cancel_.slot(); }

    /// From the connection's loop: cancels a running handler, closes an idle connection.
    void shut_down();
    /// From the connection's loop: closes the connection if no request is under way.
    void close_if_idle();

    const RequestHead& head() const override { return head_; }
    awaitable<Result<std::string_view>> read_body(std::size_t bytes_max) override;
    void release_body() override;
    awaitable<Result<void>> respond(Response response) override;
    awaitable<Result<void>> begin_stream(Response head) override;
    awaitable<Result<void>> write(std::string_view bytes) override;
    awaitable<Result<void>> finish_stream() override;
    void keep_alive(std::chrono::milliseconds interval, Response head,
                    std::string comment) override;
    void cut_stream() override { is_cut_ = true; }
    bool is_answered() const override { return is_answered_; }
    void set_deadline(SteadyTime when) override { request_deadline_.expire_at(when); }
    CancelReason cancel_reason() const override { return reason_; }
    awaitable<void> accept_cancellation() override;

private:
    /// One request; false when the connection must end.
    awaitable<bool> serve_one();
    awaitable<bool> read_head();
    void skip_empty_lines();
    awaitable<void> run_handler();
    awaitable<void> refuse(Error error);
    awaitable<void> linger();
    /// Waits for more bytes than there are; false at the end of the connection.
    awaitable<bool> fill();
    void start_read();
    void on_read(boost::system::error_code ec, std::size_t bytes);
    void look_for_hangup();
    /// Feeds what was read to the parser; an Error for anything malformed.
    Result<void> parse_some();
    Result<void> check_raw_head(std::string_view parsed);
    Result<void> check_framing() const;
    Error headers_too_large() const;
    /// Counts what the body has grown by; false when all bodies together are over their limit.
    bool has_room_for_body();
    /// To HEAD goes the answer to GET without its body.
    bool is_head() const { return parser_->method == "HEAD"; }
    void split_target();
    void cancel_handler(CancelReason reason);
    void close();
    void open_stream(const Response& head);
    void send_keep_alive();
    void append_head(const Response& response, std::optional<std::size_t> length);
    void append_chunk(std::string_view bytes);
    bool keeps_alive() const;
    OutputBuffer::Hooks output_hooks();

    asio::io_context& loop_;
    Socket socket_;
    std::shared_ptr<ServerShared> server_;
    asio::cancellation_signal cancel_;

    std::vector<char> in_;
    std::size_t in_begin_ = 0;
    std::size_t in_end_ = 0;
    bool is_reading_ = false;
    boost::system::error_code read_error_;
    runtime::Wakeup readable_;

    OutputBuffer out_;

    std::optional<RequestParser> parser_;
    std::size_t head_bytes_ = 0;  ///< parsed so far
    std::size_t body_bytes_ = 0;  ///< counted in the server's bodies_bytes
    RequestHead head_;
    runtime::Deadline io_deadline_;       ///< closes the connection
    runtime::Deadline request_deadline_;  ///< cancels the handler
    runtime::Deadline silence_;           ///< sends a keep-alive
    runtime::Deadline hangup_;            ///< looks for the end of a client that is not read
    std::chrono::milliseconds keep_alive_interval_{0};
    Response keep_alive_head_;
    std::string keep_alive_comment_;
    CancelReason reason_ = CancelReason::kNone;
    bool is_handling_ = false;
    bool is_stopping_ = false;
    bool is_answered_ = false;
    bool is_streaming_ = false;  ///< begun and not finished
    bool is_chunked_ = false;
    bool is_cut_ = false;
};

}  // namespace quire::http
