#pragma once

#include "runtime/rpc/call_context.hpp"
#include "runtime/rpc/stream.hpp"

#include <google/protobuf/message_lite.h>

#include <memory>
#include <string_view>

namespace quire::rpc {

/// A call that the other end of a channel answers. It is read to its end, or cancelled; one that
/// dies before is cancelled too.
class ClientStream {
public:
    virtual ~ClientStream() = default;
    /// A callee that has ended takes no more, and says how when it is read.
    virtual awaitable<Result<void>> write(const google::protobuf::MessageLite& message) = 0;
    /// No more messages from us.
    virtual void end() = 0;
    /// The next answer; false at the good end, else the error that the callee ended with.
    virtual awaitable<Result<bool>> read(google::protobuf::MessageLite& message) = 0;
    virtual void cancel() = 0;
    /// The service has certainly not looked at the call, as when it was leaving: whatever it asks
    /// for may be asked again.
    virtual bool was_refused() const = 0;
};

/// A way to a service that runs elsewhere. May be called from any of our loops.
class Channel {
public:
    virtual ~Channel() = default;
    /// Begins the call of `path` (`/quire.auth.v1.Auth/CreateKey`). kOverloaded when the service
    /// cannot be reached.
    virtual awaitable<Result<std::unique_ptr<ClientStream>>> start(const CallContext& ctx,
                                                                   std::string_view path) = 0;
};

// What the generated clients are made of --------------------------------------------------------

inline Error wrong_count(std::string_view path) {
    return {ErrorCode::kInternalError,
            std::string(path) + ": the service's answer has more or fewer messages than declared"};
}

inline constexpr int kAttemptsMax = 2;  ///< of a call that was refused

template <class In>
awaitable<Result<void>> ask(ClientStream& stream, const In& in) {
    const auto written = co_await stream.write(in);
    if (!written) co_return written.error();
    stream.end();
    co_return Result<void>();
}

template <class Out, class In>
awaitable<Result<Out>> ask_once(ClientStream& stream, std::string_view path, const In& in) {
    const auto asked = co_await ask(stream, in);
    if (!asked) co_return asked.error();
    Out out;
    QUIRE_CO_TRY(const bool has_answer, stream.read(out));
    if (!has_answer) co_return wrong_count(path);
    Out more;
    QUIRE_CO_TRY(const bool has_more, stream.read(more));
    if (has_more) co_return wrong_count(path);
    co_return out;
}

template <class Out, class In>
awaitable<Result<Out>> call_unary(Channel& channel, const CallContext& ctx, std::string_view path,
                                  const In& in) {
    for (int attempt = 1;; ++attempt) {
        QUIRE_CO_TRY(const auto stream, channel.start(ctx, path));
        auto out = co_await ask_once<Out>(*stream, path, in);
        if (out || attempt == kAttemptsMax || !stream->was_refused()) co_return out;
    }
}

template <class Out, class In>
awaitable<Result<void>> pass_on(ClientStream& stream, const In& in, Sink<Out>& sink) {
    const auto asked = co_await ask(stream, in);
    if (!asked) co_return asked.error();
    Out out;
    while (true) {
        QUIRE_CO_TRY(const bool has_message, stream.read(out));
        if (!has_message) co_return Result<void>();
        const auto taken = co_await sink.write(out);
        if (!taken) co_return taken.error();  // and the stream's death tells the producer
    }
}

template <class Out, class In>
awaitable<Result<void>> call_server_stream(Channel& channel, const CallContext& ctx,
                                           std::string_view path, const In& in, Sink<Out>& sink) {
    for (int attempt = 1;; ++attempt) {
        QUIRE_CO_TRY(const auto stream, channel.start(ctx, path));
        auto ended = co_await pass_on(*stream, in, sink);
        if (ended || attempt == kAttemptsMax || !stream->was_refused()) co_return ended;
    }
}

/// A session whose other half is elsewhere. An error of its opening comes with the first exchange.
template <class In, class Out>
class RemoteSession final : public Session<In, Out> {
public:
    RemoteSession(std::unique_ptr<ClientStream> stream, std::string_view path)
        : stream_(std::move(stream)), path_(path) {}
    ~RemoteSession() override {
        QUIRE_ASSERT(is_over_, "a session is finished or cancelled before it dies");
    }

    awaitable<Result<Out>> exchange(const In& message) override {
        if (is_over_) co_return cancelled_error();
        const auto written = co_await stream_->write(message);
        if (!written) co_return written.error();
        Out out;
        QUIRE_CO_TRY(const bool has_answer, stream_->read(out));
        if (!has_answer) co_return wrong_count(path_);
        co_return out;
    }
    awaitable<Result<Out>> finish() override {
        if (is_over_) co_return cancelled_error();
        is_over_ = true;
        stream_->end();
        Out last;
        QUIRE_CO_TRY(const bool has_last, stream_->read(last));
        if (!has_last) co_return wrong_count(path_);
        Out more;
        QUIRE_CO_TRY(const bool has_more, stream_->read(more));
        if (has_more) co_return wrong_count(path_);
        co_return last;
    }
    void cancel() override {
        is_over_ = true;
        stream_->cancel();
    }

private:
    std::unique_ptr<ClientStream> stream_;
    std::string_view path_;
    bool is_over_ = false;
};

template <class In, class Out>
awaitable<Result<std::unique_ptr<Session<In, Out>>>> open_session(Channel& channel,
                                                                  const CallContext& ctx,
                                                                  std::string_view path) {
    QUIRE_CO_TRY(auto stream, channel.start(ctx, path));
    std::unique_ptr<Session<In, Out>> session =
        std::make_unique<RemoteSession<In, Out>>(std::move(stream), path);
    co_return session;
}

}  // namespace quire::rpc
