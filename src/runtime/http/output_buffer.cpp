#include "runtime/http/output_buffer.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace quire::http {

using boost::system::error_code;

namespace {

/// Room that a connection keeps for its next answer.
constexpr std::size_t kKeptBytesMax = 64 * 1024;

}  // namespace

OutputBuffer::OutputBuffer(asio::io_context& loop, Socket& socket,
                           std::chrono::milliseconds stall_max, Hooks hooks)
    : loop_(loop),
      socket_(socket),
      stall_max_(stall_max),
      hooks_(std::move(hooks)),
      writable_(loop.get_executor()),
      stall_(loop, [this] { hooks_.on_stall(); }) {}

awaitable<Result<void>> OutputBuffer::wait_for_room(std::size_t bytes_max) {
    if (unsent() > bytes_max) flush();
    while (unsent() > bytes_max && !has_failed_) {
        const auto woken = co_await writable_.wait();
        if (!woken) co_return cancelled_error();
    }
    if (has_failed_) co_return cancelled_error();
    co_return Result<void>();
}

void OutputBuffer::shorten_stall(std::chrono::milliseconds stall_max) {
    stall_max_ = std::min(stall_max_, stall_max);
    if (is_writing_) stall_.expire_after(stall_max_);
}

void OutputBuffer::flush_at_end_of_turn() {
    if (std::exchange(is_flush_posted_, true)) return;
    asio::post(loop_, [this, owner = hooks_.owner()] {
        is_flush_posted_ = false;
        flush();
    });
}

void OutputBuffer::flush() {
    if (is_writing_ || has_failed_ || text_.empty()) return;
    flying_.clear();
    flying_.swap(text_);
    error_code ec;
    flying_sent_ = socket_.write_some(asio::buffer(flying_), ec);
    if (ec && ec != asio::error::would_block && ec != asio::error::try_again) {
        fail();
        return;
    }
    if (flying_sent_ == flying_.size()) {
        empty_flying();
        return;
    }
    is_writing_ = true;
    on_written({}, 0);
}

void OutputBuffer::on_written(error_code ec, std::size_t bytes) {
    flying_sent_ += bytes;
    if (ec) {
        is_writing_ = false;
        fail();
        return;
    }
    if (flying_sent_ < flying_.size()) {
        stall_.expire_after(stall_max_);
        socket_.async_write_some(
            asio::buffer(flying_.data() + flying_sent_, flying_.size() - flying_sent_),
            [this, owner = hooks_.owner()](error_code failed, std::size_t sent) {
                on_written(failed, sent);
            });
        return;
    }
    stall_.clear();
    is_writing_ = false;
    empty_flying();
    flush();
    writable_.notify();
}

/// What gathers next goes into this string, so one that grew large would stay so for as long as
/// the connection lives.
void OutputBuffer::empty_flying() {
    flying_.clear();
    flying_sent_ = 0;
    // Neither clear() nor the assignment of an empty string gives the memory back.
    if (flying_.capacity() > kKeptBytesMax) std::string().swap(flying_);
}

void OutputBuffer::fail() {
    has_failed_ = true;
    stall_.clear();
    hooks_.on_failure();
    writable_.notify();
}

}  // namespace quire::http
