#pragma once

#include "base/clock.hpp"
#include "base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace quire::providers {

/// An answer of a provider that is no answer.
struct UpstreamRefusal {
    int status = 0;
    std::string_view retry_after;
    std::string_view retry_after_ms;
    std::string_view body;
    std::vector<std::string> secrets;  ///< what must not be relayed: key, host
};

/// "Upstream says, we say": 401/403 kUpstreamAuthFailed, 429 kOverloaded with its hint, 400, 404,
/// 413 and 422 the client's own fault with the message cleaned, everything else kUpstreamError.
Error to_error(const UpstreamRefusal& refusal, Timestamp now);

/// `retry-after-ms`, else `retry-after` in seconds (a fraction is allowed) or as an HTTP date,
/// clamped to 1 s to 60 s; nullopt when there is none.
std::optional<std::chrono::milliseconds> read_retry_after(std::string_view retry_after,
                                                          std::string_view retry_after_ms,
                                                          Timestamp now);

/// The text without any of `secrets`, without anything that looks like a key or a URL, at most 500
/// bytes, valid UTF-8.
std::string cleaned(std::string_view text, const std::vector<std::string>& secrets);

}  // namespace quire::providers
