#include "runtime/http/connection.hpp"

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <ctime>
#include <poll.h>

namespace quire::http {
namespace {

using boost::system::error_code;

constexpr std::size_t kReadBytes = 8 * 1024;
constexpr std::size_t kAheadBytesMax = 64 * 1024;
constexpr std::size_t kUnsentBytesMax = 16 * 1024;
constexpr std::chrono::milliseconds kHangupPoll{20};
constexpr std::chrono::seconds kLinger{1};

std::string_view reason_phrase(int status) {
    const auto phrase = beast_http::obsolete_reason(static_cast<beast_http::status>(status));
    return {phrase.data(), phrase.size()};
}

/// `Mon, 23 Nov 2026 18:39:02 GMT`, made once a second and thread.
const std::string& http_date() {
    thread_local std::time_t shown = 0;
    thread_local std::string text;
    const std::time_t now = SystemClock().now().seconds();
    if (now != shown) {
        std::tm parts{};
        gmtime_r(&now, &parts);
        std::array<char, 40> buffer{};
        const std::size_t size =
            std::strftime(buffer.data(), buffer.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        text.assign(buffer.data(), size);
        shown = now;
    }
    return text;
}

/// The absolute form, which proxies are sent, means the same (RFC 9112, 3.2.2).
std::string_view origin_form(std::string_view target) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
        target.remove_prefix(scheme.size());
        target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
        return target.empty() ? "/" : target;
    }
    return target;
}

}  // namespace

Connection::Connection(asio::io_context& loop, Socket socket, std::shared_ptr<ServerShared> server)
    : loop_(loop),
      socket_(std::move(socket)),
      server_(std::move(server)),
      readable_(loop.get_executor()),
      out_(loop, socket_, server_->limits.write_stall, output_hooks()),
      io_deadline_(loop, [this] { close(); }),
      request_deadline_(loop, [this] { cancel_handler(CancelReason::kDeadline); }),
      silence_(loop, [this] { send_keep_alive(); }),
      hangup_(loop, [this] { look_for_hangup(); }) {
    error_code ec;
    socket_.non_blocking(true, ec);
}

awaitable<void> Connection::run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto self = shared_from_this();
    bool goes_on = true;
    while (goes_on) goes_on = co_await serve_one();
    close();
}

awaitable<bool> Connection::serve_one() {
    // One that came too late for the last handler to notice must not end this request.
    co_await accept_cancellation();
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(server_->limits.header_bytes_max));
    parser_->body_limit(boost::none);
    reason_ = CancelReason::kNone;
    is_answered_ = is_streaming_ = is_chunked_ = is_cut_ = false;
    head_bytes_ = 0;
    const bool has_head = co_await read_head();
    if (!has_head) co_return false;

    is_handling_ = true;
    server_->active.fetch_add(1);
    start_read();
    co_await run_handler();
    request_deadline_.clear();
    silence_.clear();
    hangup_.clear();
    keep_alive_interval_ = {};
    release_body();  // who waits for the next request holds nothing of the last
    is_handling_ = false;
    server_->active.fetch_sub(1);

    if (is_streaming_) is_cut_ = true;  // the handler left it without an end
    if (is_cut_) out_.flush();
    if (is_cut_ || read_error_ || !is_answered_) co_return false;
    if (parser_->is_done()) co_return keeps_alive();
    co_await linger();
    co_return false;
}

awaitable<bool> Connection::read_head() {
    const ServerLimits& limits = server_->limits;
    skip_empty_lines();
    bool has_begun = in_begin_ != in_end_;
    io_deadline_.expire_after(has_begun ? limits.header_timeout : limits.idle_timeout);
    while (true) {
        if (in_begin_ != in_end_) {
            if (!std::exchange(has_begun, true)) io_deadline_.expire_after(limits.header_timeout);
            const auto parsed = parse_some();
            if (!parsed) {
                co_await refuse(parsed.error());
                co_return false;
            }
            if (parser_->is_header_done()) break;
        }
        const bool has_more = co_await fill();
        if (!has_begun) skip_empty_lines();
        if (has_more) continue;
        if (!read_error_) co_await refuse(headers_too_large());
        co_return false;
    }
    io_deadline_.clear();
    split_target();
    co_return true;
}

/// Some clients send a line's end behind a body (RFC 9112, 2.2).
void Connection::skip_empty_lines() {
    while (in_begin_ != in_end_ && (in_[in_begin_] == '\r' || in_[in_begin_] == '\n')) ++in_begin_;
}

awaitable<void> Connection::run_handler() {
    std::string bug;
    try {
        co_await server_->handler(*this);
        co_return;
    } catch (const std::exception& e) {
        bug = e.what();
    }
    runtime::count_bug();
    QUIRE_LOG(error, "an exception escaped a handler", {"server", server_->name}, {"what", bug});
    is_cut_ = true;
}

awaitable<void> Connection::refuse(Error error) {
    Response page = server_->error_page(error, origin_form(parser_->target));
    is_cut_ = true;  // `connection: close`
    const auto sent = co_await respond(std::move(page));
    if (sent) co_await linger();
}

/// A close with unread bytes in the socket would reset the connection, and the peer could lose the
/// answer it has not read yet: so say that we are done, and read on for a moment.
awaitable<void> Connection::linger() {
    if (is_stopping_) co_return;
    error_code ec;
    socket_.shutdown(Socket::shutdown_send, ec);
    io_deadline_.expire_after(kLinger);
    bool has_more = !ec;
    while (has_more) {
        in_begin_ = in_end_;
        has_more = co_await fill();
    }
}

awaitable<bool> Connection::fill() {
    const std::size_t before = in_end_ - in_begin_;
    while (!read_error_ && in_end_ - in_begin_ <= before) {
        start_read();
        if (!is_reading_ && !read_error_) co_return false;  // more than may wait, and no end of it
        const auto woken = co_await readable_.wait();
        if (!woken) co_return false;
    }
    co_return in_end_ - in_begin_ > before;
}

void Connection::start_read() {
    if (is_reading_ || read_error_) return;
    if (in_end_ - in_begin_ >= kAheadBytesMax) {
        if (is_handling_) hangup_.expire_after(kHangupPoll);
        return;
    }
    if (in_begin_ == in_end_) in_begin_ = in_end_ = 0;
    if (in_.size() - in_end_ < kReadBytes / 2) {
        if (in_begin_ > 0) {
            std::memmove(in_.data(), in_.data() + in_begin_, in_end_ - in_begin_);
            in_end_ -= in_begin_;
            in_begin_ = 0;
        }
        if (in_.size() - in_end_ < kReadBytes / 2) in_.resize(in_end_ + kReadBytes);
    }
    is_reading_ = true;
    socket_.async_read_some(asio::buffer(in_.data() + in_end_, in_.size() - in_end_),
                            [self = shared_from_this()](error_code ec, std::size_t bytes) {
                                self->on_read(ec, bytes);
                            });
}

void Connection::on_read(error_code ec, std::size_t bytes) {
    is_reading_ = false;
    in_end_ += bytes;
    if (ec) {
        read_error_ = ec;
        if (is_handling_) cancel_handler(CancelReason::kClientGone);
    } else if (is_handling_) {
        start_read();
    }
    readable_.notify();
}

void Connection::look_for_hangup() {
    if (!is_handling_ || is_reading_ || read_error_) return;
    pollfd peer{socket_.native_handle(), POLLRDHUP, 0};
    if (::poll(&peer, 1, 0) == 0) {
        hangup_.expire_after(kHangupPoll);
        return;
    }
    read_error_ = asio::error::eof;
    cancel_handler(CancelReason::kClientGone);
    readable_.notify();
}

Result<void> Connection::parse_some() {
    error_code ec;
    const bool had_head = parser_->is_header_done();
    while (in_begin_ != in_end_ && !parser_->is_done()) {
        const std::string_view raw(in_.data() + in_begin_, in_end_ - in_begin_);
        const std::size_t used = parser_->feed(raw, ec);
        in_begin_ += used;
        if (!had_head) {
            const auto plain = check_raw_head(raw.substr(0, used));
            if (!plain) return plain.error();
        }
        if (ec == beast_http::error::need_more) return {};
        if (ec == beast_http::error::header_limit) return headers_too_large();
        if (ec) {
            return Error(ErrorCode::kInvalidValue,
                         fmt::format("not a valid HTTP/1.1 request: {}", ec.message()));
        }
        if (!had_head && parser_->is_header_done()) return check_framing();
        if (used == 0) return {};
    }
    return {};
}

Error Connection::headers_too_large() const {
    return {ErrorCode::kRequestTooLarge, fmt::format("the headers are over {} bytes or 100 fields",
                                                     server_->limits.header_bytes_max)};
}

/// The parser takes a head field by field as it comes, and applies its limit to the rest only; its
/// steps end between fields, so that a fold is never cut.
Result<void> Connection::check_raw_head(std::string_view parsed) {
    head_bytes_ += parsed.size();
    if (head_bytes_ > server_->limits.header_bytes_max) return headers_too_large();
    if (parsed.find("\n ") != std::string_view::npos ||
        parsed.find("\n\t") != std::string_view::npos) {
        return Error(ErrorCode::kInvalidValue, "folded header lines are not allowed");
    }
    return {};
}

/// What two parsers could read differently is refused (request smuggling).
Result<void> Connection::check_framing() const {
    const Headers& headers = parser_->headers;
    const bool has_encoding = headers.contains("transfer-encoding");
    if (has_encoding && headers.contains("content-length")) {
        return Error(ErrorCode::kInvalidValue,
                     "a request has content-length or transfer-encoding, not both");
    }
    if (has_encoding && !equals_ignoring_case(headers.find("transfer-encoding"), "chunked")) {
        return Error(ErrorCode::kInvalidValue, "the only transfer-encoding taken is chunked");
    }
    if (has_encoding && parser_->version < 11) {
        return Error(ErrorCode::kInvalidValue, "HTTP/1.0 has no transfer-encoding");
    }
    if (parser_->version >= 11 && headers.count("host") != 1) {
        return Error(ErrorCode::kInvalidValue, "an HTTP/1.1 request has exactly one host header");
    }
    return {};
}

void Connection::split_target() {
    const std::string_view target = origin_form(parser_->target);
    head_ = RequestHead();
    const auto question = target.find('?');
    if (question != std::string_view::npos) head_.query = target.substr(question + 1);
    head_.path = target.substr(0, question);
    head_.method = parser_->method;
    head_.headers = &parser_->headers;
}

awaitable<Result<std::string_view>> Connection::read_body(std::size_t bytes_max) {
    const auto too_large = [&] {
        return Error(ErrorCode::kRequestTooLarge,
                     fmt::format("the body is larger than {} bytes", bytes_max));
    };
    const auto length = parser_->content_length;
    if (length && *length > bytes_max) co_return too_large();
    if (equals_ignoring_case(head_.header("expect"), "100-continue") && in_begin_ == in_end_ &&
        !parser_->is_done()) {
        out_.text() += "HTTP/1.1 100 Continue\r\n\r\n";
        out_.flush();
    }
    io_deadline_.expire_after(server_->limits.body_timeout);
    while (true) {
        const auto parsed = parse_some();
        if (!parsed) co_return parsed.error();
        if (parser_->body.size() > bytes_max) co_return too_large();
        if (!has_room_for_body()) {
            co_return Error(ErrorCode::kOverloaded,
                            "too many bytes of other requests are held; retry later")
                .with_retry_after(std::chrono::seconds(1));
        }
        if (parser_->is_done()) break;
        const bool has_more = co_await fill();
        if (has_more) continue;
        if (read_error_ || reason_ != CancelReason::kNone) co_return cancelled_error();
        co_return Error(
            ErrorCode::kInvalidValue,
            fmt::format("a line of the body's framing is over {} bytes", kAheadBytesMax));
    }
    io_deadline_.clear();
    start_read();
    co_return std::string_view(parser_->body);
}

bool Connection::has_room_for_body() {
    const std::size_t grown = parser_->body.size() - body_bytes_;
    if (grown == 0) return true;
    body_bytes_ += grown;
    const std::size_t before = server_->bodies_bytes.fetch_add(grown, std::memory_order_relaxed);
    return before + grown <= server_->limits.bodies_bytes_max;
}

void Connection::release_body() {
    std::string().swap(parser_->body);
    server_->bodies_bytes.fetch_sub(std::exchange(body_bytes_, 0), std::memory_order_relaxed);
}

bool Connection::keeps_alive() const {
    return parser_->is_header_done() && parser_->keep_alive() && !is_cut_ &&
           !server_->is_draining.load(std::memory_order_relaxed) &&
           !(is_streaming_ && !is_chunked_) && parser_->is_done();
}

void Connection::append_head(const Response& response, std::optional<std::size_t> length) {
    fmt::format_to(std::back_inserter(out_.text()), "HTTP/1.1 {} {}\r\ndate: {}\r\n",
                   response.status, reason_phrase(response.status), http_date());
    const auto add = [this](std::string_view name, std::string_view value) {
        out_.text().append(name).append(": ").append(value).append("\r\n");
    };
    if (!response.content_type.empty()) add("content-type", response.content_type);
    for (const auto& [name, value] : response.headers) add(name, value);
    if (length && response.status != 204) {
        add("content-length", fmt::format_int(*length).c_str());
    }
    if (is_chunked_) add("transfer-encoding", "chunked");
    if (!keeps_alive()) add("connection", "close");
    out_.text() += "\r\n";
}

void Connection::append_chunk(std::string_view bytes) {
    if (bytes.empty() || is_head()) return;
    if (is_chunked_) fmt::format_to(std::back_inserter(out_.text()), "{:x}\r\n", bytes.size());
    out_.text() += bytes;
    if (is_chunked_) out_.text() += "\r\n";
}

awaitable<Result<void>> Connection::respond(Response response) {
    QUIRE_ASSERT(!is_answered_, "an exchange is answered once");
    is_answered_ = true;
    append_head(response, response.body.size());
    if (!is_head()) out_.text() += response.body;
    out_.flush();
    co_return co_await out_.wait_for_room(0);
}

awaitable<Result<void>> Connection::begin_stream(Response head) {
    QUIRE_ASSERT(!is_answered_, "an exchange is answered once");
    open_stream(head);
    out_.flush_at_end_of_turn();
    co_return co_await out_.wait_for_room(kUnsentBytesMax);
}

void Connection::open_stream(const Response& head) {
    is_answered_ = is_streaming_ = true;
    is_chunked_ = parser_->version >= 11;
    append_head(head, std::nullopt);
    append_chunk(head.body);
}

void Connection::keep_alive(std::chrono::milliseconds interval, Response head,
                            std::string comment) {
    keep_alive_interval_ = interval;
    keep_alive_head_ = std::move(head);
    keep_alive_comment_ = std::move(comment);
    silence_.expire_after(interval);
}

void Connection::send_keep_alive() {
    const bool is_whole = is_answered_ && !is_streaming_;  // nothing may follow such an answer
    if (!is_handling_ || out_.has_failed() || is_whole) return;
    if (!is_answered_) open_stream(keep_alive_head_);
    // A peer that takes nothing gets no more to take.
    if (out_.unsent() < kUnsentBytesMax) append_chunk(keep_alive_comment_);
    out_.flush();
    silence_.expire_after(keep_alive_interval_);
}

awaitable<Result<void>> Connection::write(std::string_view bytes) {
    if (!is_streaming_) {  // nothing may follow a whole answer
        is_cut_ = true;
        co_return cancelled_error();
    }
    append_chunk(bytes);
    out_.flush_at_end_of_turn();
    if (keep_alive_interval_.count() > 0) silence_.expire_after(keep_alive_interval_);
    co_return co_await out_.wait_for_room(kUnsentBytesMax);
}

awaitable<Result<void>> Connection::finish_stream() {
    silence_.clear();
    if (!is_streaming_) {
        is_cut_ = true;
        co_return cancelled_error();
    }
    is_streaming_ = false;
    if (!is_chunked_) {
        is_cut_ = true;  // the end of the connection is the end of the body
    } else if (!is_head()) {
        out_.text() += "0\r\n\r\n";
    }
    out_.flush();
    co_return co_await out_.wait_for_room(0);
}

OutputBuffer::Hooks Connection::output_hooks() {
    return {[this] { return shared_from_this(); }, [this] { close(); },
            [this] {
                is_cut_ = true;
                cancel_handler(CancelReason::kClientGone);
            }};
}

void Connection::cancel_handler(CancelReason reason) {
    if (!is_handling_ || reason_ != CancelReason::kNone) return;
    reason_ = reason;
    cancel_.emit(asio::cancellation_type::terminal);
}

awaitable<void> Connection::accept_cancellation() {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
}

void Connection::shut_down() {
    is_stopping_ = true;
    if (!is_handling_) return close();
    cancel_handler(CancelReason::kShutdown);
    out_.shorten_stall(kLinger);  // a client that does not read must not hold up the end
}

void Connection::close_if_idle() {
    if (!is_handling_ && in_begin_ == in_end_) close();
}

void Connection::close() {
    error_code ec;
    socket_.close(ec);
    if (is_reading_) return;  // it ends with an error of its own
    if (!read_error_) read_error_ = asio::error::operation_aborted;
    readable_.notify();
}

}  // namespace quire::http
