#pragma once

#include "runtime/async.hpp"
#include "runtime/rpc/wire/header_list.hpp"
#include "runtime/wakeup.hpp"

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::rpc {

/// RFC 9113's error codes that we send.
enum class Http2Code : std::uint32_t {
    kNoError = 0,
    kRefusedStream = 7,  ///< certainly not looked at
    kCancel = 8,
    kEnhanceYourCalm = 11,
};

/// Which end of a connection is ours.
enum class Http2Role { kClient, kServer };

class Http2Session;

/// One call on an HTTP/2 connection: length-prefixed messages both ways. Belongs to its
/// connection's loop. Reading gives credit to the peer as messages are taken, so that a slow reader
/// stops its producer after one window.
class Http2Stream {
public:
    Http2Stream(std::weak_ptr<Http2Session> session, Http2Role role,
                const asio::any_io_executor& executor, std::size_t message_bytes_max)
        : session_(std::move(session)),
          role_(role),
          readable_(executor),
          writable_(executor),
          message_bytes_max_(message_bytes_max) {}
    Http2Stream(const Http2Stream&) = delete;
    Http2Stream& operator=(const Http2Stream&) = delete;

    /// Headers and, once the peer has ended, trailers.
    const HeaderList& headers() const { return headers_; }
    /// A server that has read them gives their memory back; open calls are many.
    void drop_headers() { headers_ = {}; }
    bool is_peer_ended() const { return is_peer_ended_; }
    bool is_closed() const { return is_closed_; }
    /// A client's call that its server certainly has not looked at.
    bool was_refused() const { return was_refused_; }

    /// The next message's bytes; false when the peer has ended its side. kRequestTooLarge for a
    /// message over the limit, kInvalidValue for broken framing of a client and kInternalError for
    /// a server's, kCancelled when the caller was cancelled, and for a call that is over:
    /// kCancelled on a server, kOverloaded on a client. An answer that is no gRPC: see
    /// `check_answer`.
    awaitable<Result<bool>> read(std::string& bytes);
    /// Waits while the peer has not taken what was written before; kOverloaded for a call that is
    /// over (a client reads then how it ended).
    awaitable<Result<void>> write(const google::protobuf::MessageLite& message);
    /// No more messages from us: what a client says.
    void end();
    /// The end of a server's side: after what was written, these headers.
    void end_with(HeaderList trailers);
    /// Ends the call both ways at once.
    void reset(Http2Code code);

private:
    friend class Http2Session;

    // What the session tells.
    void on_answer();
    void on_data(std::string_view bytes);
    void on_peer_end();
    void on_closed(std::uint32_t code);
    // What the session asks: up to `size` bytes of what is unsent.
    std::size_t take_unsent(char* to, std::size_t size);
    std::size_t unsent() const { return out_.size() - out_begin_; }
    bool has_messages() const { return messages_begin_ < messages_.size(); }
    std::string next_message();
    /// Takes the whole messages that `bytes` begins with; gives how many bytes they were.
    std::size_t take_messages(std::string_view bytes);
    Error broken(std::string_view why) const;
    void fail(Error error);

    std::weak_ptr<Http2Session> session_;
    Http2Role role_;
    std::int32_t id_ = 0;
    HeaderList headers_;
    std::size_t header_bytes_ = 0;
    runtime::Wakeup readable_;
    runtime::Wakeup writable_;
    std::size_t message_bytes_max_;

    std::string in_;                     ///< begins with an unfinished message
    std::vector<std::string> messages_;  ///< from `messages_begin_` on: not read yet
    std::size_t messages_begin_ = 0;
    std::size_t withheld_ = 0;  ///< bytes that the peer gets credit for once all are read
    std::optional<Error> fault_;

    std::string out_;
    std::size_t out_begin_ = 0;
    HeaderList trailers_;

    bool has_headers_ = false;   ///< the peer's
    bool has_answered_ = false;  ///< a server's own headers are on their way
    bool is_ended_ = false;      ///< our side
    bool is_peer_ended_ = false;
    bool is_closed_ = false;
    bool was_reset_ = false;
    bool was_refused_ = false;
};

}  // namespace quire::rpc
