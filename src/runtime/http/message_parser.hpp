#pragma once

#include "runtime/http/headers.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/status.hpp>

#include <optional>
#include <string>

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
    void on_chunk_header_impl(std::uint64_t /*size*/, string_view /*extensions*/,
                              error_code& /*ec*/) override {}
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
