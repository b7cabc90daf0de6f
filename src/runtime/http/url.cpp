#include "runtime/http/url.hpp"

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace quire::http {
namespace {

Error bad_url(std::string_view text, std::string_view why) {
    return {ErrorCode::kInvalidValue,
            fmt::format("'{}' is not a usable URL: {}; write http://HOST:PORT/PATH or https://…",
                        text, why)};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (text.empty() || status != std::errc() || end != text.data() + text.size()) return {};
    return port;
}

/// Splits `host`, `host:port` or `[v6]:port`; the port part is nullopt when absent.
std::string bracketed(const std::string& host) {
    return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

bool split_authority(std::string_view text, std::string& host,
                     std::optional<std::string_view>& port) {
    port.reset();
    std::string_view rest;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return false;
        host = text.substr(1, close - 1);
        rest = text.substr(close + 1);
        if (!rest.empty() && rest.front() != ':') return false;
    } else {
        const auto colon = text.find(':');
        host = text.substr(0, colon);
        if (colon != std::string_view::npos) rest = text.substr(colon);
    }
    if (!rest.empty()) port = rest.substr(1);
    return !host.empty() && host.find_first_of("@/ \t\r\n") == std::string::npos;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::string Url::authority() const {
    const std::string shown = bracketed(host);
    if (port == (is_tls ? 443 : 80)) return shown;
    return fmt::format("{}:{}", shown, port);
}

std::string url_of(const std::string& host, std::uint16_t port) {
    return fmt::format("http://{}:{}", bracketed(host), port);
}

std::string Url::text() const {
    return fmt::format("{}://{}{}", is_tls ? "https" : "http", authority(), path);
}

Result<Url> parse_url(std::string_view text) {
    Url url;
    std::string_view rest = text;
    if (rest.starts_with("https://")) {
        url.is_tls = true;
        rest.remove_prefix(8);
    } else if (rest.starts_with("http://")) {
        rest.remove_prefix(7);
    } else {
        return bad_url(text, "it does not begin with http:// or https://");
    }
    if (rest.find_first_of("?#") != std::string_view::npos) {
        return bad_url(text, "a query or fragment has no meaning here");
    }
    // It becomes part of a request line, where they would end it.
    const auto is_blank_or_control = [](char c) { return (c >= 0 && c <= ' ') || c == '\x7F'; };
    if (std::any_of(rest.begin(), rest.end(), is_blank_or_control)) {
        return bad_url(text, "it holds a blank or a control character");
    }
    const auto slash = rest.find('/');
    std::optional<std::string_view> port;
    const std::string_view authority = rest.substr(0, slash);
    if (!split_authority(authority, url.host, port)) return bad_url(text, "the host is malformed");
    url.port = url.is_tls ? 443 : 80;
    if (port) {
        const auto number = parse_port(*port);
        if (!number || *number == 0) return bad_url(text, "the port is not 1 to 65535");
        url.port = *number;
    }
    if (slash != std::string_view::npos) url.path = rest.substr(slash);
    while (url.path.ends_with('/')) url.path.pop_back();
    return url;
}

Result<HostPort> parse_host_port(std::string_view text) {
    HostPort result;
    std::optional<std::string_view> port;
    std::optional<std::uint16_t> number;
    if (split_authority(text, result.host, port) && port) number = parse_port(*port);
    if (!number) {
        return Error(ErrorCode::kInvalidValue,
                     fmt::format("'{}' is not HOST:PORT, e.g. 127.0.0.1:8700 or [::1]:8700", text));
    }
    boost::system::error_code ec;
    if (result.host != "localhost") boost::asio::ip::make_address(result.host, ec);
    if (ec) {
        return Error(
            ErrorCode::kInvalidValue,
            fmt::format("'{}' is no IP address to listen on; take one such as 127.0.0.1 or "
                        "0.0.0.0, or localhost",
                        result.host));
    }
    result.port = *number;
    return result;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (i + 2 >= text.size()) return std::nullopt;
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            c = static_cast<char>(high * 16 + low);
            if (c == '\0') return std::nullopt;
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out += c;
    }
    return out;
}

Result<std::optional<std::string>> query_value(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const auto end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        const auto equals = pair.find('=');
        if (pair.substr(0, equals) == name) {
            if (equals == std::string_view::npos) return std::optional<std::string>("");
            auto value = percent_decode(pair.substr(equals + 1), true);
            if (value) return value;
            return Error(ErrorCode::kInvalidValue,
                         fmt::format("{} holds a % that begins no escape, or a NUL; write a "
                                     "percent sign as %25",
                                     name))
                .with_param(std::string(name));
        }
        if (end == std::string_view::npos) break;
        query.remove_prefix(end + 1);
    }
    return std::optional<std::string>();
}

}  // namespace quire::http
