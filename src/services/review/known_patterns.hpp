#pragma once

#include <string>
#include <string_view>

namespace quire::review {

/// The pattern of `secret.api_key`: keys of known providers by their prefix, Quire's own, and the
/// header of a PEM private key.
const std::string& api_key_pattern();
/// False for a match of api_key_pattern() that has Quire's prefix and a wrong checksum.
bool is_api_key(std::string_view match);

}  // namespace quire::review
