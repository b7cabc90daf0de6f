#include "runtime/rpc/wire/http2_session.hpp"

#include "runtime/log.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace quire::rpc {
namespace {

using boost::system::error_code;

constexpr std::size_t kGatherBytes = 64 * 1024;
constexpr std::int32_t kConnectionWindow = 4 * 1024 * 1024;
/// What our own calls send, and their answers; others' lists grow as they come.
constexpr std::size_t kCallHeaders = 12;
constexpr std::size_t kAnswerHeaders = 3;
/// What the ping carries that follows a notice of leaving; other pings carry nothing.
constexpr std::array<std::uint8_t, 8> kNoticePing{'l', 'e', 'a', 'v', 'i', 'n', 'g', '!'};

nghttp2_nv to_nv(const std::pair<std::string, std::string>& header) {
    const auto bytes = [](const std::string& text) {
        return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    };
    // Only what every call repeats is worth a place in the peer's table.
    const bool is_repeated = header.first.starts_with(':') || header.first == "te" ||
                             header.first == "content-type" || header.first == "grpc-status" ||
                             header.first == "quire-principal-bin";
    return {
        bytes(header.first), bytes(header.second), header.first.size(), header.second.size(),
        static_cast<std::uint8_t>(is_repeated ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX)};
}

std::vector<nghttp2_nv> to_nvs(const HeaderList& headers) {
    std::vector<nghttp2_nv> out;
    out.reserve(headers.size());
    for (const auto& header : headers) out.push_back(to_nv(header));
    return out;
}

const HeaderList& answer_headers() {
    static const HeaderList headers{{":status", "200"}, {"content-type", "application/grpc+proto"}};
    return headers;
}

}  // namespace

/// What libnghttp2 calls while it takes bytes in or gives bytes out.
struct Http2Session::Callbacks {
    static Http2Session& self(void* user) { return *static_cast<Http2Session*>(user); }
    static std::shared_ptr<Http2Stream> stream(void* user, std::int32_t id) {
        const auto found = self(user).streams_.find(id);
        return found == self(user).streams_.end() ? nullptr : found->second;
    }

    static int on_begin_headers(nghttp2_session* /*h2*/, const nghttp2_frame* frame, void* user) {
        Http2Session& session = self(user);
        if (frame->hd.type != NGHTTP2_HEADERS || session.role_ != Http2Role::kServer ||
            frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
            return 0;
        }
        auto made = session.make_stream();
        made->id_ = frame->hd.stream_id;
        session.streams_.emplace(made->id_, std::move(made));
        return 0;
    }

    static int on_header(nghttp2_session* /*h2*/, const nghttp2_frame* frame,
                         const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value,
                         std::size_t value_size, std::uint8_t /*flags*/, void* user) {
        const auto to = stream(user, frame->hd.stream_id);
        if (!to) return 0;
        to->header_bytes_ += name_size + value_size + 32;
        if (to->header_bytes_ > self(user).limits_.header_list_bytes_max) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // resets this stream only
        }
        if (to->headers_.empty()) {
            const bool is_call = self(user).role_ == Http2Role::kServer;
            to->headers_.reserve(is_call ? kCallHeaders : kAnswerHeaders);
        }
        to->headers_.emplace_back(std::string(reinterpret_cast<const char*>(name), name_size),
                                  std::string(reinterpret_cast<const char*>(value), value_size));
        return 0;
    }

    static int on_data_chunk(nghttp2_session* h2, std::uint8_t /*flags*/, std::int32_t id,
                             const std::uint8_t* data, std::size_t size, void* user) {
        // The connection's own window is no measure of any reader's speed.
        nghttp2_session_consume_connection(h2, size);
        if (const auto to = stream(user, id)) {
            to->on_data({reinterpret_cast<const char*>(data), size});
        }
        return 0;
    }

    static int on_frame(nghttp2_session* /*h2*/, const nghttp2_frame* frame, void* user) {
        Http2Session& session = self(user);
        switch (frame->hd.type) {
            case NGHTTP2_PING:
                if (frame->hd.flags & NGHTTP2_FLAG_ACK) {
                    on_ping_answered(session, frame->ping);
                } else if (session.pings_.is_flood(session.limits_.pings_per_second)) {
                    session.terminate(Http2Code::kEnhanceYourCalm);
                }
                return 0;
            case NGHTTP2_SETTINGS:
                session.has_shaken_hands_ = true;
                if (session.settings_.is_flood(session.limits_.settings_per_second)) {
                    session.terminate(Http2Code::kEnhanceYourCalm);
                }
                return 0;
            case NGHTTP2_GOAWAY:
                if (session.life_ == Life::kOpen) session.life_ = Life::kLeaving;
                return 0;
            case NGHTTP2_RST_STREAM:
                if (session.role_ == Http2Role::kServer) session.on_reset();
                return 0;
            case NGHTTP2_HEADERS:
            case NGHTTP2_DATA:
                on_message_frame(session, *frame);
                return 0;
            default:
                return 0;
        }
    }

    static void on_ping_answered(Http2Session& session, const nghttp2_ping& ping) {
        session.is_ping_pending_ = false;
        const bool is_notices = std::ranges::equal(ping.opaque_data, kNoticePing);
        if (is_notices && session.life_ == Life::kNoticed) session.refuse_more();
    }

    static void on_message_frame(Http2Session& session, const nghttp2_frame& frame) {
        const auto to = stream(&session, frame.hd.stream_id);
        if (!to) return;
        const bool is_head = frame.hd.type == NGHTTP2_HEADERS && !to->has_headers_;
        if (is_head && find_header(to->headers_, ":status").starts_with('1')) {
            return to->drop_headers();  // the answer is still to come
        }
        if (is_head) to->has_headers_ = true;
        if (is_head && session.role_ == Http2Role::kClient) to->on_answer();
        if (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) {
            to->on_peer_end();
            // A server may end while we still push; without a reset such a call stays open.
            if (session.role_ == Http2Role::kClient &&
                nghttp2_session_get_stream_local_close(session.h2_, to->id_) == 0) {
                session.reset(*to, Http2Code::kNoError);
            }
        }
        if (!is_head || !session.on_call) return;
        if (to->id_ > session.last_taken_) return session.reset(*to, Http2Code::kRefusedStream);
        session.on_call(to);
    }

    static int on_stream_close(nghttp2_session* /*h2*/, std::int32_t id, std::uint32_t code,
                               void* user) {
        Http2Session& session = self(user);
        const auto closed = stream(user, id);
        if (!closed) return 0;
        session.streams_.erase(id);
        closed->on_closed(code);
        if (session.on_stream_closed) session.on_stream_closed(*closed);
        return 0;
    }

    static ssize_t read_data(nghttp2_session* h2, std::int32_t id, std::uint8_t* to,
                             std::size_t size, std::uint32_t* flags, nghttp2_data_source* source,
                             void* user) {
        auto& from = *static_cast<Http2Stream*>(source->ptr);
        const std::size_t taken = from.take_unsent(reinterpret_cast<char*>(to), size);
        if (from.unsent() > 0) return static_cast<ssize_t>(taken);
        if (!from.is_ended_) {
            if (taken == 0) return NGHTTP2_ERR_DEFERRED;
            return static_cast<ssize_t>(taken);
        }
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (self(user).role_ == Http2Role::kServer) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            const auto nvs = to_nvs(from.trailers_);
            nghttp2_submit_trailer(h2, id, nvs.data(), nvs.size());
        }
        return static_cast<ssize_t>(taken);
    }

    static int on_frame_sent(nghttp2_session* h2, const nghttp2_frame* frame, void* user) {
        if (frame->hd.type == NGHTTP2_GOAWAY && self(user).life_ == Life::kNoticed) {
            // Not before: libnghttp2 lets a ping overtake what waits to be sent.
            nghttp2_submit_ping(h2, NGHTTP2_FLAG_NONE, kNoticePing.data());
        }
        if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
            return 0;
        }
        // A server's last frame of a call whose client may still push.
        const auto ended = stream(user, frame->hd.stream_id);
        if (ended && self(user).role_ == Http2Role::kServer &&
            nghttp2_session_get_stream_remote_close(h2, ended->id_) == 0) {
            nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
        }
        return 0;
    }

    static nghttp2_session* make(Http2Session& session);
};

nghttp2_session* Http2Session::Callbacks::make(Http2Session& session) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_max_settings(option, 32);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, 4096);
    // Counted here: libnghttp2 would go on to take calls up until its notice is sent, and say then
    // that they were not looked at.
    constexpr auto kNever = std::numeric_limits<std::uint64_t>::max();
    nghttp2_option_set_stream_reset_rate_limit(option, kNever, 0);
    nghttp2_session* h2 = nullptr;
    if (session.role_ == Http2Role::kServer) {
        nghttp2_session_server_new2(&h2, callbacks, &session, option);
    } else {
        nghttp2_session_client_new2(&h2, callbacks, &session, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return h2;
}

Http2Session::Http2Session(asio::io_context& loop, Socket socket, Http2Role role,
                           const WireLimits& limits)
    : loop_(loop),
      socket_(std::move(socket)),
      role_(role),
      limits_(limits),
      h2_(Callbacks::make(*this)),
      stall_(loop, [this] { close(); }),
      signs_(loop, [this] { look_for_life(); }) {
    error_code ec;
    socket_.non_blocking(true, ec);
}

Http2Session::~Http2Session() { nghttp2_session_del(h2_); }

void Http2Session::start() {
    std::vector<nghttp2_settings_entry> settings{
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
         static_cast<std::uint32_t>(limits_.header_list_bytes_max)}};
    if (role_ == Http2Role::kServer) {
        settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.calls_max});
    } else {
        settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
        nghttp2_session_set_next_stream_id(h2_, limits_.first_stream_id);
    }
    nghttp2_submit_settings(h2_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    nghttp2_session_set_local_window_size(h2_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
    signs_.expire_after(limits_.handshake);
    flush_soon();
    read_some();
}

Result<std::shared_ptr<Http2Stream>> Http2Session::open(const HeaderList& headers) {
    const auto refused = [](const char* why) {
        return Error(ErrorCode::kOverloaded, std::string("the service takes no call: ") + why);
    };
    if (!takes_calls()) return refused("its connection is closing");
    if (streams_.size() >= limits_.calls_max) return refused("too many calls are open");
    auto stream = make_stream();
    const auto nvs = to_nvs(headers);
    nghttp2_data_provider provider{};
    provider.source.ptr = stream.get();
    provider.read_callback = Callbacks::read_data;
    const std::int32_t id =
        nghttp2_submit_request(h2_, nullptr, nvs.data(), nvs.size(), &provider, nullptr);
    if (id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) {  // after 2^30 calls
        life_ = Life::kLeaving;
        flush_soon();
    }
    if (id < 0) return refused(nghttp2_strerror(id));
    stream->id_ = id;
    streams_.emplace(id, stream);
    flush_soon();
    return stream;
}

std::shared_ptr<Http2Stream> Http2Session::make_stream() {
    return std::make_shared<Http2Stream>(weak_from_this(), role_, loop_.get_executor(),
                                         limits_.message_bytes_max);
}

void Http2Session::resume(Http2Stream& stream) {
    if (role_ == Http2Role::kServer && !stream.has_answered_) {
        respond(stream);
    } else {
        nghttp2_session_resume_data(h2_, stream.id_);
    }
    flush_soon();
}

/// A server's first headers: with a call that has nothing to say but its end, the only ones.
void Http2Session::respond(Http2Stream& stream) {
    stream.has_answered_ = true;
    if (stream.is_ended_ && stream.unsent() == 0) {
        HeaderList only = answer_headers();
        only.insert(only.end(), stream.trailers_.begin(), stream.trailers_.end());
        const auto nvs = to_nvs(only);
        nghttp2_submit_response(h2_, stream.id_, nvs.data(), nvs.size(), nullptr);
        return;
    }
    const auto nvs = to_nvs(answer_headers());
    nghttp2_data_provider provider{};
    provider.source.ptr = &stream;
    provider.read_callback = Callbacks::read_data;
    nghttp2_submit_response(h2_, stream.id_, nvs.data(), nvs.size(), &provider);
}

void Http2Session::give_credit(Http2Stream& stream, std::size_t bytes) {
    nghttp2_session_consume_stream(h2_, stream.id_, bytes);
    flush_soon();
}

void Http2Session::reset(Http2Stream& stream, Http2Code code) {
    nghttp2_submit_rst_stream(h2_, NGHTTP2_FLAG_NONE, stream.id_, static_cast<std::uint32_t>(code));
    flush_soon();
}

void Http2Session::go_away() {
    if (life_ != Life::kOpen) return;
    life_ = Life::kNoticed;
    // Calls that are on their way are still taken: a ping follows the notice, and once the peer has
    // answered that, it has seen the notice, and nearly all it had sent before has come.
    nghttp2_submit_shutdown_notice(h2_);
    signs_.expire_after(limits_.ping_timeout);
    flush_soon();
}

void Http2Session::turn_away() {
    if (life_ == Life::kOpen) refuse_more();
}

/// Unlike `go_away` not even what is on its way; calls that run go on.
void Http2Session::refuse_more() {
    if (is_closed() || last_taken_ != kNoLast) return;
    life_ = Life::kRefusing;
    take_no_more_calls();
}

/// Names the last call that is taken, so that the peer may make what comes after it elsewhere: a
/// peer may put its answer to a ping before calls that wait to be sent (gRPC's does). Of those
/// libnghttp2 takes nothing up, once this is sent.
void Http2Session::take_no_more_calls() {
    last_taken_ = nghttp2_session_get_last_proc_stream_id(h2_);
    nghttp2_submit_goaway(h2_, NGHTTP2_FLAG_NONE, last_taken_, NGHTTP2_NO_ERROR, nullptr, 0);
    flush_soon();
}

void Http2Session::terminate(Http2Code code) {
    if (is_closed()) return;
    life_ = Life::kLeaving;
    nghttp2_session_terminate_session(h2_, static_cast<std::uint32_t>(code));
    flush_soon();
}

void Http2Session::close() {
    if (std::exchange(life_, Life::kClosed) == Life::kClosed) return;
    const auto self = shared_from_this();
    stall_.clear();
    signs_.clear();
    error_code ec;
    socket_.close(ec);
    auto streams = std::exchange(streams_, {});
    for (const auto& [id, stream] : streams) {
        stream->on_closed(NGHTTP2_CONNECT_ERROR);
        if (on_stream_closed) on_stream_closed(*stream);
    }
    if (on_closed) on_closed();
}

void Http2Session::read_some() {
    auto on_bytes = [self = shared_from_this()](error_code ec, std::size_t size) {
        if (self->is_closed()) return;
        if (ec) return self->close();
        self->on_read(size);
    };
    socket_.async_read_some(asio::buffer(in_), std::move(on_bytes));
}

void Http2Session::on_read(std::size_t size) {
    has_heard_ = true;
    const auto taken =
        nghttp2_session_mem_recv(h2_, reinterpret_cast<std::uint8_t*>(in_.data()), size);
    if (taken < 0) {
        // Bytes that are no HTTP/2 at all, or a flood that libnghttp2 itself counts.
        QUIRE_LOG(warn, "a connection between services broke the protocol",
                  {"why", nghttp2_strerror(static_cast<int>(taken))});
        return close();
    }
    flush_soon();
    if (!is_closed()) read_some();
}

void Http2Session::flush_soon() {
    if (is_closed() || std::exchange(is_flush_due_, true)) return;
    asio::post(loop_, [self = shared_from_this()] {
        self->is_flush_due_ = false;
        self->flush();
    });
}

void Http2Session::flush() {
    if (is_closed() || is_writing_) return;
    out_.clear();
    while (out_.size() < kGatherBytes) {
        const std::uint8_t* bytes = nullptr;
        const auto size = nghttp2_session_mem_send(h2_, &bytes);
        if (size < 0) return close();
        if (size == 0) break;
        out_.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }
    if (out_.empty()) return end_if_done();
    write_gathered();
}

void Http2Session::write_gathered() {
    error_code ec;
    const std::size_t sent = socket_.write_some(asio::buffer(out_), ec);
    if (ec && ec != asio::error::would_block) return close();
    if (!ec && sent == out_.size()) {
        if (sent >= kGatherBytes) return flush_soon();  // others of this loop come first
        return end_if_done();
    }
    is_writing_ = true;
    stall_.expire_after(limits_.write_stall);
    auto on_written = [self = shared_from_this()](error_code failed, std::size_t /*size*/) {
        self->is_writing_ = false;
        self->stall_.clear();
        if (self->is_closed()) return;
        if (failed) return self->close();
        self->flush();
    };
    asio::async_write(socket_, asio::buffer(out_.data() + sent, out_.size() - sent),
                      std::move(on_written));
}

void Http2Session::end_if_done() {
    const bool is_over = !nghttp2_session_want_read(h2_) && !nghttp2_session_want_write(h2_);
    if (!is_draining()) {
        if (is_over || (life_ == Life::kLeaving && streams_.empty())) close();
        return;
    }
    // Only libnghttp2 itself ends a connection with calls: the peer broke the protocol.
    if (is_over && !streams_.empty()) return close();
    if (life_ != Life::kRefusing || !streams_.empty()) return;
    life_ = Life::kLingering;
    // The peer closes: where its calls have come that nobody reads, a close from here would be a
    // reset, which takes from it what it has not read, the name of the last call that was taken.
    signs_.expire_after(limits_.linger);
}

/// Of a peer that has gone without a word nothing is ever heard again.
void Http2Session::look_for_life() {
    const bool is_unanswered = !has_shaken_hands_ || is_ping_pending_ || life_ == Life::kNoticed;
    if (is_unanswered || life_ == Life::kLingering) return close();
    const bool is_silent = !std::exchange(has_heard_, false);
    if (is_silent && !streams_.empty()) {
        nghttp2_submit_ping(h2_, NGHTTP2_FLAG_NONE, nullptr);
        is_ping_pending_ = true;
        flush_soon();
    }
    signs_.expire_after(is_ping_pending_ ? limits_.ping_timeout : limits_.ping_after);
}

/// Running calls outlive a burst of those that left, but not a peer that goes on.
void Http2Session::on_reset() {
    const double count = resets_.add(limits_.resets_per_second);
    const auto burst = static_cast<double>(limits_.resets_burst);
    if (count > 2 * burst) return terminate(Http2Code::kEnhanceYourCalm);
    if (count > burst) refuse_more();
}

}  // namespace quire::rpc
