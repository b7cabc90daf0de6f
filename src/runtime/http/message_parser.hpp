#pragma once

#include "runtime/http/headers.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/status.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace quire::http {

namespace beast_http = boost::beast::http;

/// What both directions collect: headers at once, body bytes as they come. Built on Beast's
/// basic_parser; only files of runtime/http may include this.
template <bool isRequest>
class MessageParser : public beast_http::basic_parser<isRequest> {
public:
    Headers headers;
    std::string body;  ///< the body bytes that nobody has taken yet
    std::optional<std::uint64_t> content_length;

    /// put(), but safe whatever the pieces: Beast 1.81 takes three bytes for the line of the last
    /// chunk, and then asserts that the next call brings at least five.
    std::size_t feed(std::string_view unread, boost::beast::error_code& ec) {
        const bool is_short = unread.size() == 4 && unread.starts_with("0\r\n") &&
                              this->is_header_done() && this->chunked();
        if (!is_short) return this->put(boost::asio::buffer(unread.data(), unread.size()), ec);
        ec = beast_http::error::need_more;
        return 0;
    }

protected:
    using string_view = boost::beast::string_view;
    using error_code = boost::beast::error_code;

    void on_field_impl(beast_http::field, string_view name, string_view value,
                       error_code& ec) override {
        // Fields after a chunked body are dropped: nobody checked them, and views into the headers
        // are in use by then.
        if (this->is_header_done()) return;
        if (headers.size() >= kFieldsMax) {
            ec = beast_http::error::header_limit;
            return;
        }
        headers.add({name.data(), name.size()}, {value.data(), value.size()});
    }
    void on_header_impl(error_code& /*ec*/) override {
        const auto length = beast_http::basic_parser<isRequest>::content_length();
        if (length) content_length = *length;
    }
    void on_body_init_impl(boost::optional<std::uint64_t> const& /*length*/,
                           error_code& /*ec*/) override {}
    std::size_t on_body_impl(string_view bytes, error_code& /*ec*/) override {
        body.append(bytes.data(), bytes.size());
        return bytes.size();
    }
    /// Extensions mean nothing to us. A line's end quoted in one ends the line for other parsers.
    void on_chunk_header_impl(std::uint64_t /*size*/, string_view extensions,
                              error_code& ec) override {
        const bool has_control = std::any_of(extensions.begin(), extensions.end(), [](char c) {
            return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
        });
        if (has_control) ec = beast_http::error::bad_chunk_extension;
    }
    std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, string_view bytes,
                                   error_code& /*ec*/) override {
        body.append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_finish_impl(error_code& /*ec*/) override {}

private:
    static constexpr std::size_t kFieldsMax = 100;
};

class RequestParser final : public MessageParser<true> {
public:
    std::string method;
    std::string target;
    int version = 11;

protected:
    void on_request_impl(beast_http::verb, string_view method_text, string_view target_text,
                         int version_number, error_code& /*ec*/) override {
        method.assign(method_text.data(), method_text.size());
        target.assign(target_text.data(), target_text.size());
        version = version_number;
    }
    void on_response_impl(int, string_view, int, error_code&) override {}
};

class ResponseParser final : public MessageParser<false> {
public:
    int status = 0;

protected:
    void on_request_impl(beast_http::verb, string_view, string_view, int, error_code&) override {}
    void on_response_impl(int code, string_view /*reason*/, int /*version*/,
                          error_code& /*ec*/) override {
        status = code;
    }
};

}  // namespace quire::http
