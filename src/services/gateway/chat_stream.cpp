#include "services/gateway/chat_stream.hpp"

#include "runtime/sse.hpp"

namespace quire::gateway {

awaitable<Result<void>> ChatStream::write(const common::v1::ChatEvent& event) {
    if (event.has_started()) return start(event);
    out_.clear();
    if (event.has_delta()) {
        writer_.append_delta(out_, event.delta());
    } else {
        const auto& finished = event.finished();
        writer_.append_finish(out_, finished.finish_reason());
        if (has_usage_ && finished.has_usage()) writer_.append_usage(out_, finished.usage());
        out_ += "data: [DONE]\n\n";
    }
    return call_.exchange.write(out_);
}

awaitable<Result<void>> ChatStream::start(const common::v1::ChatEvent& event) {
    const common::v1::Started& started = event.started();
    http::Response response = head(started.steps());
    if (!started.replay_of().empty()) {
        writer_ = ChunkWriter(identity_of(started, identity_), has_usage_);
        add_replay_headers(response);
    }
    writer_.append_role(response.body);
    // A keep-alive may have sent the 200 before.
    if (call_.exchange.is_answered()) co_return co_await call_.exchange.write(response.body);
    co_return co_await call_.exchange.begin_stream(std::move(response));
}

void ChatStream::keep_alive(std::chrono::milliseconds interval) {
    std::string comment;
    runtime::append_sse_comment(comment, "keepalive");
    call_.exchange.keep_alive(interval, head({}), std::move(comment));
}

http::Response ChatStream::head(
    const google::protobuf::RepeatedPtrField<common::v1::Step>& steps) const {
    http::Response response;
    response.content_type = "text/event-stream; charset=utf-8";
    response.headers = {{"cache-control", "no-cache, no-transform"}, {"x-accel-buffering", "no"}};
    call_.add_headers(response, steps);
    return response;
}

awaitable<Result<void>> ChatStream::finish() { co_return co_await call_.exchange.finish_stream(); }

}  // namespace quire::gateway
