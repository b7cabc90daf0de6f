#include "base/id.hpp"

#include <array>
#include <cstdint>

namespace quire {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kUlidLength = 26;
constexpr std::size_t kTimeLength = 10;

std::string encoded_millis(Timestamp time) {
    std::string text(kTimeLength, '0');
    auto millis = static_cast<std::uint64_t>(time.micros / 1000);
    for (std::size_t i = kTimeLength; i-- > 0; millis >>= 5) text[i] = kAlphabet[millis & 31];
    return text;
}

}  // namespace

std::string make_ulid(Timestamp time, Rng& rng) {
    std::array<std::byte, kUlidLength - kTimeLength> random{};
    rng.fill(random);

    std::string text = encoded_millis(time);
    text.resize(kUlidLength);
    for (std::size_t i = 0; i < random.size(); ++i) {
        text[kTimeLength + i] = kAlphabet[std::to_integer<unsigned>(random[i]) & 31];
    }
    return text;
}

std::string next_ulid(std::string_view last, Timestamp time, Rng& rng) {
    std::string text(last);
    const std::string prefix = encoded_millis(time);
    if (text.empty() || text.substr(0, kTimeLength) < prefix) return make_ulid(time, rng);
    for (std::size_t i = text.size(); i-- > 0;) {
        const auto digit = kAlphabet.find(text[i]);
        text[i] = kAlphabet[(digit + 1) % kAlphabet.size()];
        if (digit + 1 < kAlphabet.size()) break;
    }
    return text;
}

bool is_ulid(std::string_view text) {
    return text.size() == kUlidLength && text[0] <= '7' &&
           text.find_first_not_of(kAlphabet) == std::string_view::npos;
}

std::string make_id(std::string_view prefix, Timestamp time, Rng& rng) {
    std::string id(prefix);
    id += '_';
    id += make_ulid(time, rng);
    return id;
}

std::optional<std::string_view> ulid_of(std::string_view id, std::string_view prefix) {
    if (id.size() != prefix.size() + 1 + kUlidLength || !id.starts_with(prefix) ||
        id[prefix.size()] != '_') {
        return std::nullopt;
    }
    const std::string_view ulid = id.substr(prefix.size() + 1);
    if (!is_ulid(ulid)) return std::nullopt;
    return ulid;
}

}  // namespace quire
