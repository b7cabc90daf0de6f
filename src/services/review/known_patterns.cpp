#include "services/review/known_patterns.hpp"

#include <zlib.h>

#include <cstdint>

namespace quire::review {
namespace {

constexpr std::string_view kQuirePrefix = "qk_live_";
constexpr std::string_view kBase62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kChecksumLength = 6;

/// The CRC-32 of `text` as six base62 digits.
std::string checksum_of(std::string_view text) {
    auto crc = static_cast<std::uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
    std::string digits(kChecksumLength, '0');
    for (std::size_t i = kChecksumLength; i-- > 0; crc /= 62) digits[i] = kBase62[crc % 62];
    return digits;
}

}  // namespace

const std::string& api_key_pattern() {
    static const std::string pattern =
        R"(\bqk_live_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}\b)"
        R"(|\bsk-[A-Za-z0-9_\-]{20,240})"                   // OpenAI, Anthropic and others
        R"(|\b[sr]k_live_[A-Za-z0-9]{24,128})"              // Stripe
        R"(|\bgh[pousr]_[A-Za-z0-9]{36,251})"               // GitHub
        R"(|\bgithub_pat_[A-Za-z0-9_]{82})"                 // GitHub, fine-grained
        R"(|\bglpat-[A-Za-z0-9_\-]{20,64})"                 // GitLab
        R"(|\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b)"       // AWS
        R"(|\bAIza[A-Za-z0-9_\-]{35})"                      // Google
        R"(|\bxox[abprs]-[A-Za-z0-9\-]{10,250})"            // Slack
        R"(|\bhf_[A-Za-z0-9]{34}\b)"                        // Hugging Face
        R"(|\bnpm_[A-Za-z0-9]{36}\b)"                       // npm
        R"(|\bSG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43})"  // SendGrid
        R"(|\bgsk_[A-Za-z0-9]{52}\b)"                       // Groq
        R"(|-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY-----)";
    return pattern;
}

bool is_api_key(std::string_view match) {
    if (!match.starts_with(kQuirePrefix)) return true;
    const std::size_t split = match.size() - kChecksumLength;
    return match.substr(split) == checksum_of(match.substr(0, split - 1));
}

}  // namespace quire::review
