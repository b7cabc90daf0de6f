#pragma once

#include "base/rng.hpp"

#include <string>
#include <string_view>

namespace quire::auth {

/// `qk_live_` + 43 base62 characters (256 random bits) + `_` + 6 base62 characters, the CRC-32 of
/// all before that `_`. base62 = 0-9A-Za-z, big-endian, left-padded with 0.
std::string make_api_key(Rng& rng);
/// Right form and checksum: anything else is refused without a look-up.
bool is_well_formed_key(std::string_view key);
/// SHA-256 in hex: what is stored. A slow hash is not needed for 256 random bits.
std::string hash_of_key(std::string_view key);
std::string last4_of_key(std::string_view key);

}  // namespace quire::auth
