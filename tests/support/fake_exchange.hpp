#pragma once

#include "runtime/http/http_server.hpp"

#include <optional>
#include <string>

namespace quire::test {

/// An exchange without a connection: keeps what a handler answers.
class FakeExchange final : public http::Exchange {
public:
    FakeExchange() { request.headers = &request_headers; }

    const http::RequestHead& head() const override { return request; }
    awaitable<Result<std::string_view>> read_body(std::size_t /*bytes_max*/) override {
        co_return std::string_view(request_body);
    }
    void release_body() override { request_body.clear(); }
    awaitable<Result<void>> respond(http::Response given) override {
        QUIRE_ASSERT(!response, "an exchange is answered once");
        response = std::move(given);
        co_return outcome;
    }
    awaitable<Result<void>> begin_stream(http::Response given) override {
        QUIRE_ASSERT(!response, "an exchange is answered once");
        response = std::move(given);
        co_return outcome;
    }
    awaitable<Result<void>> write(std::string_view bytes) override {
        response->body += bytes;
        co_return outcome;
    }
    awaitable<Result<void>> finish_stream() override {
        is_finished = true;
        co_return outcome;
    }
    void keep_alive(std::chrono::milliseconds interval, http::Response given,
                    std::string comment) override {
        keep_alive_interval = interval;
        keep_alive_head = std::move(given);
        keep_alive_comment = std::move(comment);
    }
    void cut_stream() override { is_cut = true; }
    bool is_answered() const override { return response.has_value(); }
    void set_deadline(std::chrono::steady_clock::time_point when) override { deadline = when; }
    http::CancelReason cancel_reason() const override { return http::CancelReason::kNone; }
    awaitable<void> accept_cancellation() override { co_return; }

    http::RequestHead request;
    http::Headers request_headers;
    std::string request_body;
    std::optional<http::Response> response;
    Result<void> outcome;  ///< of every write
    bool is_finished = false;
    bool is_cut = false;
    std::chrono::milliseconds keep_alive_interval{0};
    http::Response keep_alive_head;
    std::string keep_alive_comment;
    std::chrono::steady_clock::time_point deadline;
};

/// The value of an answer's header, "" when it has none.
inline std::string header_of(const http::Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
        if (http::equals_ignoring_case(key, name)) return value;
    }
    return "";
}

}  // namespace quire::test
