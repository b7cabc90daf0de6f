#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "runtime/config/node.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace quire::config {

/// `500ms`, `30s`, `5m`, `2h`, `30d`: a whole number and a unit; nothing else.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string duration_text(std::chrono::milliseconds value);

Result<std::int64_t> parse_integer(std::string_view text);
Result<double> parse_number(std::string_view text);
Result<bool> parse_bool(std::string_view text);

/// A secret as it stands in the file: `env:NAME` or `file:PATH`, and what it led to.
struct SecretSetting {
    std::string reference;
    Secret value;
};

/// kInvalidValue for a secret written out, kMissingRequiredParameter (naming it) for an unset
/// variable or unreadable file.
Result<SecretSetting> resolve_secret(const std::string& reference, const Environment& environment);

}  // namespace quire::config
