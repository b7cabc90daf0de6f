#pragma once

#include "runtime/deadline_timer.hpp"
#include "runtime/wakeup.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace quire::http {

/// What a connection has to say and the peer has not taken yet. It gathers, and leaves at the end
/// of the loop's turn, so that events that come together cost one system call. On the connection's
/// loop.
class OutputBuffer {
public:
    using Socket = asio::generic::stream_protocol::socket;

    struct Hooks {
        std::function<std::shared_ptr<void>()> owner;  ///< lives while something is under way
        std::function<void()> on_stall;                ///< the peer took nothing for long
        std::function<void()> on_failure;              ///< the peer is gone; once
    };

    OutputBuffer(asio::io_context& loop, Socket& socket, std::chrono::milliseconds stall_max,
                 Hooks hooks);

    /// To append to.
    std::string& text() { return text_; }
    std::size_t unsent() const { return text_.size() + flying_.size() - flying_sent_; }
    bool has_failed() const { return has_failed_; }

    /// Sends what is there: now as much as fits, the rest as the peer takes it.
    void flush();
    void flush_at_end_of_turn();
    /// From now on a peer that takes nothing is stalled after so long.
    void shorten_stall(std::chrono::milliseconds stall_max);
    /// Waits until at most `bytes_max` are unsent; kCancelled when the peer is gone.
    awaitable<Result<void>> wait_for_room(std::size_t bytes_max);

private:
    void on_written(boost::system::error_code ec, std::size_t bytes);
    void empty_flying();
    void fail();

    asio::io_context& loop_;
    Socket& socket_;
    std::chrono::milliseconds stall_max_;
    Hooks hooks_;
    std::string text_;
    std::string flying_;  ///< what is being sent
    std::size_t flying_sent_ = 0;
    bool is_writing_ = false;
    bool is_flush_posted_ = false;
    bool has_failed_ = false;
    runtime::Wakeup writable_;
    runtime::Deadline stall_;
};

}  // namespace quire::http
