#include "services/gateway/event_stream.hpp"

#include "runtime/sse.hpp"

namespace quire::gateway {

void EventStream::keep_alive(std::chrono::milliseconds interval) {
    std::string comment;
    runtime::append_sse_comment(comment, "keepalive");
    call_.exchange.keep_alive(interval, head({}), std::move(comment));
}

awaitable<Result<void>> EventStream::begin(const common::v1::Started& started,
                                           const std::string& events) {
    if (call_.exchange.is_answered()) co_return co_await call_.exchange.write(events);
    http::Response response = head(started.steps());
    if (!started.replay_of().empty()) add_replay_headers(response);
    response.body = events;
    co_return co_await call_.exchange.begin_stream(std::move(response));
}

awaitable<Result<void>> EventStream::send(const std::string& events) {
    co_return co_await call_.exchange.write(events);
}

awaitable<Result<void>> EventStream::finish() { co_return co_await call_.exchange.finish_stream(); }

http::Response EventStream::head(
    const google::protobuf::RepeatedPtrField<common::v1::Step>& steps) const {
    http::Response response;
    response.content_type = "text/event-stream; charset=utf-8";
    response.headers = {{"cache-control", "no-cache, no-transform"}, {"x-accel-buffering", "no"}};
    call_.add_headers(response, steps);
    return response;
}

}  // namespace quire::gateway
