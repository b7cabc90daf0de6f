#pragma once

#include "runtime/deadline_timer.hpp"
#include "runtime/rpc/wire/flood.hpp"
#include "runtime/rpc/wire/http2_stream.hpp"
#include "runtime/rpc/wire/wire_limits.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

#include <array>
#include <functional>
#include <limits>
#include <unordered_map>

struct nghttp2_session;

namespace quire::rpc {

/// One HTTP/2 connection, client or server, over libnghttp2 on one loop. What leaves is gathered
/// and sent at the end of the loop's turn. Floods, unanswered pings and stalled writes end it.
class Http2Session : public std::enable_shared_from_this<Http2Session> {
public:
    using Socket = asio::generic::stream_protocol::socket;

    Http2Session(asio::io_context& loop, Socket socket, Http2Role role, const WireLimits& limits);
    ~Http2Session();
    Http2Session(const Http2Session&) = delete;
    Http2Session& operator=(const Http2Session&) = delete;

    /// A server's: a call's headers are whole. Set before `start`.
    std::function<void(const std::shared_ptr<Http2Stream>&)> on_call;
    /// The stream is over, for whatever reason; a server cancels its handler.
    std::function<void(Http2Stream&)> on_stream_closed;
    /// The connection is gone, and every stream with it.
    std::function<void()> on_closed;

    void start();
    /// A client's: a new call with these headers. kOverloaded when the connection takes no more.
    Result<std::shared_ptr<Http2Stream>> open(const HeaderList& headers);
    /// Takes no new calls but those that are on their way, lets the open ones end, then closes. Of
    /// any later call the peer is told that it may be made elsewhere.
    void go_away();
    /// The same for a connection that came too late: no call is taken.
    void turn_away();
    void close();
    bool takes_calls() const { return life_ == Life::kOpen; }

private:
    friend class Http2Stream;
    struct Callbacks;

    /// In this order. kLeaving comes of any but kClosed, and a flood of resets makes it kRefusing.
    enum class Life {
        kOpen,
        kNoticed,    ///< a server's: it drains, and the peer may not know that yet
        kRefusing,   ///< a server's: `last_taken_` is told; running calls end
        kLingering,  ///< a server's: the last call has ended, and the peer closes
        kLeaving,    ///< the peer's wish, a fault, no ids left: closes after the last call
        kClosed,
    };
    bool is_closed() const { return life_ == Life::kClosed; }
    bool is_draining() const {
        return life_ == Life::kNoticed || life_ == Life::kRefusing || life_ == Life::kLingering;
    }

    static constexpr std::int32_t kNoLast = std::numeric_limits<std::int32_t>::max();

    void read_some();
    void on_read(std::size_t size);
    void flush_soon();
    void flush();
    void write_gathered();
    void end_if_done();
    void look_for_life();
    void on_reset();
    void refuse_more();
    void take_no_more_calls();
    void terminate(Http2Code code);
    std::shared_ptr<Http2Stream> make_stream();

    // What a stream asks.
    void resume(Http2Stream& stream);
    void respond(Http2Stream& stream);
    void give_credit(Http2Stream& stream, std::size_t bytes);
    void reset(Http2Stream& stream, Http2Code code);

    asio::io_context& loop_;
    Socket socket_;
    Http2Role role_;
    WireLimits limits_;
    nghttp2_session* h2_ = nullptr;
    std::unordered_map<std::int32_t, std::shared_ptr<Http2Stream>> streams_;
    std::array<char, 16 * 1024> in_;
    std::string out_;
    runtime::Deadline stall_;
    runtime::Deadline signs_;  ///< of the peer's life
    FrameRate pings_;
    FrameRate settings_;
    Offences resets_;
    bool has_shaken_hands_ = false;  ///< the peer's settings came
    bool has_heard_ = false;         ///< since `signs_` was last set
    bool is_ping_pending_ = false;
    Life life_ = Life::kOpen;
    /// A server's: later calls are refused, they may be made elsewhere.
    std::int32_t last_taken_ = kNoLast;
    bool is_flush_due_ = false;
    bool is_writing_ = false;
};

}  // namespace quire::rpc
