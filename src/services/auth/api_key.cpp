#include "services/auth/api_key.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>
#include <zlib.h>

#include <array>
#include <cstdint>

namespace quire::auth {
namespace {

constexpr std::string_view kPrefix = "qk_live_";
constexpr std::string_view kAlphabet =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kSecretLength = 43;
constexpr std::size_t kChecksumLength = 6;
constexpr std::size_t kKeyLength = kPrefix.size() + kSecretLength + 1 + kChecksumLength;

/// The big-endian number in `bytes` as exactly `length` base62 digits.
std::string base62(std::span<std::uint8_t> bytes, std::size_t length) {
    std::string text(length, '0');
    for (std::size_t i = length; i-- > 0;) {
        unsigned rest = 0;
        for (std::uint8_t& byte : bytes) {
            const unsigned value = rest * 256 + byte;
            byte = static_cast<std::uint8_t>(value / 62);
            rest = value % 62;
        }
        text[i] = kAlphabet[rest];
    }
    return text;
}

std::string checksum_of(std::string_view text) {
    const auto crc = static_cast<std::uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
    std::array<std::uint8_t, 4> bytes{
        static_cast<std::uint8_t>(crc >> 24), static_cast<std::uint8_t>(crc >> 16),
        static_cast<std::uint8_t>(crc >> 8), static_cast<std::uint8_t>(crc)};
    return base62(bytes, kChecksumLength);
}

}  // namespace

std::string make_api_key(Rng& rng) {
    std::array<std::uint8_t, 32> secret{};
    rng.fill(std::as_writable_bytes(std::span(secret)));
    std::string key(kPrefix);
    key += base62(secret, kSecretLength);
    const std::string checksum = checksum_of(key);
    return key + "_" + checksum;
}

bool is_well_formed_key(std::string_view key) {
    if (key.size() != kKeyLength || !key.starts_with(kPrefix)) return false;
    const std::size_t split = kPrefix.size() + kSecretLength;
    if (key[split] != '_') return false;
    const std::string_view secret = key.substr(kPrefix.size(), kSecretLength);
    if (secret.find_first_not_of(kAlphabet) != std::string_view::npos) return false;
    return key.substr(split + 1) == checksum_of(key.substr(0, split));
}

std::string hash_of_key(std::string_view key) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
    std::string hex;
    for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
    return hex;
}

std::string last4_of_key(std::string_view key) { return std::string(key.substr(key.size() - 4)); }

}  // namespace quire::auth
