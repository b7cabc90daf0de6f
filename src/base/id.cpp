#include "base/id.hpp"

#include <array>
#include <cstdint>

namespace quire {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kUlidLength = 26;
constexpr std::size_t kTimeLength = 10;

}  // namespace

std::string make_ulid(Timestamp time, Rng& rng) {
    std::array<std::byte, kUlidLength - kTimeLength> random{};
    rng.fill(random);

    std::string text(kUlidLength, '0');
    auto millis = static_cast<std::uint64_t>(time.micros / 1000);
    for (std::size_t i = kTimeLength; i-- > 0; millis >>= 5) text[i] = kAlphabet[millis & 31];
    for (std::size_t i = 0; i < random.size(); ++i) {
        text[kTimeLength + i] = kAlphabet[std::to_integer<unsigned>(random[i]) & 31];
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
