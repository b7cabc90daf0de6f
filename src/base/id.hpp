#pragma once

#include "base/clock.hpp"
#include "base/rng.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace quire {

/// 26 characters of Crockford base32: 48 bits of milliseconds, 80 random bits; sorts by time.
/// Source: github.com/ulid/spec.
std::string make_ulid(Timestamp time, Rng& rng);
/// The same, but always greater than `last` (a ULID, or "" at first): where the clock has not gone
/// on since, `last` plus one.
std::string next_ulid(std::string_view last, Timestamp time, Rng& rng);
bool is_ulid(std::string_view text);

/// Makes `prefix_` + ULID, e.g. make_id("req", ...) = "req_01J...".
std::string make_id(std::string_view prefix, Timestamp time, Rng& rng);
/// The ULID of an id with this prefix; nullopt for anything else.
std::optional<std::string_view> ulid_of(std::string_view id, std::string_view prefix);

}  // namespace quire
