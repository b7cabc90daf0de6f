#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quire::http {

/// An absolute http(s) URL, as a provider's base URL is written in the configuration.
struct Url {
    bool is_tls = false;
    std::string host;  ///< without brackets for IPv6
    std::uint16_t port = 0;
    std::string path;  ///< "" or "/..." without a trailing slash

    /// `host:port` (with brackets for IPv6), the port left out when it is the scheme's.
    std::string authority() const;
    /// `http://host:port/path`.
    std::string text() const;
    bool operator==(const Url&) const = default;
};

/// kInvalidValue for user info, query, fragment, other schemes, bad ports.
Result<Url> parse_url(std::string_view text);

/// `HOST:PORT` of a listener; `[::1]:80` for IPv6. Port 0 picks a free one. The host is an IP
/// address or `localhost`.
struct HostPort {
    std::string host;
    std::uint16_t port = 0;
};
Result<HostPort> parse_host_port(std::string_view text);
/// `http://HOST:PORT` of a listener, with IPv6 in brackets.
std::string url_of(const std::string& host, std::uint16_t port);

/// Decodes %XX (and `+` when `plus_is_space`); nullopt for a broken escape or a NUL.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
/// The value of `name` in a query string; nullopt when it is absent. kInvalidValue for a broken
/// escape or a NUL in it.
Result<std::optional<std::string>> query_value(std::string_view query, std::string_view name);

}  // namespace quire::http
