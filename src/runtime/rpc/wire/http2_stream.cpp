#include "runtime/rpc/wire/http2_stream.hpp"

#include "runtime/rpc/wire/http2_session.hpp"
#include "runtime/rpc/wire/wire_format.hpp"

#include <fmt/format.h>

#include <cstring>

namespace quire::rpc {
namespace {

/// A message on gRPC's wire: a flag (1 = compressed), its length big-endian, its bytes.
constexpr std::size_t kPrefixBytes = 5;
constexpr std::size_t kUnsentBytesMax = 16 * 1024;
constexpr std::size_t kMessagesKept = 8;  ///< places that an idle stream keeps for the next ones

std::uint32_t length_at(const char* prefix) {
    std::uint32_t length = 0;
    for (int i = 1; i < 5; ++i) length = length << 8 | static_cast<unsigned char>(prefix[i]);
    return length;
}

Error over_error(std::string_view why) {
    return {ErrorCode::kOverloaded, fmt::format("the call to the service was lost: {}", why)};
}

}  // namespace

awaitable<Result<bool>> Http2Stream::read(std::string& bytes) {
    while (!has_messages() && !fault_ && !is_peer_ended_) {
        const auto waited = co_await readable_.wait();
        if (!waited) co_return waited.error();
    }
    if (!has_messages()) {
        if (fault_) co_return *fault_;
        co_return false;
    }
    bytes = next_message();
    if (!has_messages() && withheld_ > 0) {
        const auto session = session_.lock();
        if (session && !is_closed_) session->give_credit(*this, withheld_);
        withheld_ = 0;
    }
    co_return true;
}

std::string Http2Stream::next_message() {
    std::string message = std::move(messages_[messages_begin_++]);
    if (!has_messages()) {
        messages_.clear();
        messages_begin_ = 0;
        if (messages_.capacity() > kMessagesKept) messages_.shrink_to_fit();
    }
    return message;
}

awaitable<Result<void>> Http2Stream::write(const google::protobuf::MessageLite& message) {
    if (fault_) co_return *fault_;
    const std::size_t size = message.ByteSizeLong();
    if (size > message_bytes_max_) {
        co_return Error(
            ErrorCode::kRequestTooLarge,
            fmt::format("a message of {} bytes is over the limit of {} between services", size,
                        message_bytes_max_));
    }
    if (out_begin_ == out_.size()) {
        out_.clear();
        out_begin_ = 0;
    }
    const char prefix[kPrefixBytes] = {0, static_cast<char>(size >> 24),
                                       static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                                       static_cast<char>(size)};
    out_.append(prefix, kPrefixBytes);
    message.AppendPartialToString(&out_);
    if (const auto session = session_.lock()) session->resume(*this);
    while (unsent() > kUnsentBytesMax && !fault_ && !is_closed_) {
        const auto waited = co_await writable_.wait();
        if (!waited) co_return waited.error();
    }
    if (fault_) co_return *fault_;
    if (is_closed_) co_return over_error("it has ended");
    co_return Result<void>();
}

void Http2Stream::end() {
    if (is_ended_ || is_closed_) return;
    is_ended_ = true;
    if (const auto session = session_.lock()) session->resume(*this);
}

void Http2Stream::end_with(HeaderList trailers) {
    if (is_ended_ || is_closed_) return;
    is_ended_ = true;
    trailers_ = std::move(trailers);
    if (const auto session = session_.lock()) session->resume(*this);
}

void Http2Stream::reset(Http2Code code) {
    if (is_closed_ || was_reset_) return;
    was_reset_ = true;
    fail(cancelled_error());
    if (const auto session = session_.lock()) session->reset(*this, code);
}

/// What is no gRPC has no messages: its body is dropped, and nobody waits for its end.
void Http2Stream::on_answer() {
    const auto is_grpc = check_answer(headers_);
    if (!is_grpc) fail(is_grpc.error());
}

void Http2Stream::on_data(std::string_view bytes) {
    const auto session = session_.lock();
    // After a fault nobody reads on: what comes is dropped, and gets no credit.
    if (fault_) return;
    if (in_.empty()) {
        in_ = bytes.substr(take_messages(bytes));
    } else {
        in_.append(bytes);
        in_.erase(0, take_messages(in_));
        if (in_.empty() && in_.capacity() > kUnsentBytesMax) in_.shrink_to_fit();
    }
    if (fault_) return;
    if (!has_messages()) {
        // Part of a message: without credit for it, one above the window would never be whole.
        session->give_credit(*this, bytes.size());
    } else {
        withheld_ += bytes.size();
        readable_.notify();
    }
}

std::size_t Http2Stream::take_messages(std::string_view bytes) {
    std::size_t begin = 0;
    while (bytes.size() - begin >= kPrefixBytes) {
        const char* prefix = bytes.data() + begin;
        if (*prefix != 0) {
            fail(broken("compressed messages are not taken; send identity"));
            break;
        }
        const std::size_t length = length_at(prefix);
        if (length > message_bytes_max_) {
            fail(Error(ErrorCode::kRequestTooLarge,
                       fmt::format("a message of {} bytes is over the limit of {} between services",
                                   length, message_bytes_max_)));
            break;
        }
        if (bytes.size() - begin - kPrefixBytes < length) break;
        messages_.emplace_back(bytes.substr(begin + kPrefixBytes, length));
        begin += kPrefixBytes + length;
    }
    return begin;
}

void Http2Stream::on_peer_end() {
    is_peer_ended_ = true;
    if (!in_.empty()) fail(broken("the peer ended within a message"));
    readable_.notify();
}

void Http2Stream::on_closed(std::uint32_t code) {
    is_closed_ = true;
    was_refused_ = code == static_cast<std::uint32_t>(Http2Code::kRefusedStream);
    const bool was_whole = is_peer_ended_ && is_ended_ && code == 0;
    if (!was_whole && role_ == Http2Role::kServer) {
        fail(cancelled_error());
    } else if (!was_whole && !is_peer_ended_) {
        fail(over_error(fmt::format("the stream was closed with HTTP/2 code {}", code)));
    }
    readable_.notify();
    writable_.notify();
}

std::size_t Http2Stream::take_unsent(char* to, std::size_t size) {
    size = std::min(size, unsent());
    std::memcpy(to, out_.data() + out_begin_, size);
    out_begin_ += size;
    if (unsent() <= kUnsentBytesMax) writable_.notify();
    if (unsent() == 0) {
        out_.clear();
        out_begin_ = 0;
        if (out_.capacity() > kUnsentBytesMax) out_.shrink_to_fit();
    }
    return size;
}

/// The fault is of whoever sent it: about a server's the caller can do nothing.
Error Http2Stream::broken(std::string_view why) const {
    if (role_ == Http2Role::kServer) return {ErrorCode::kInvalidValue, std::string(why)};
    return {ErrorCode::kInternalError, fmt::format("the service's answer is broken: {}", why)};
}

/// The first fault counts: what follows from it says less.
void Http2Stream::fail(Error error) {
    if (!fault_) fault_ = std::move(error);
    readable_.notify();
    writable_.notify();
}

}  // namespace quire::rpc
