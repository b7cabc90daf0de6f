#include "base/text.hpp"

#include <algorithm>

namespace quire {
namespace {

constexpr std::size_t kExcerptBytesMax = 100;
constexpr std::string_view kEllipsis = "…";

/// A byte of UTF-8 that is not the first one of its character.
bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

std::string_view beginning_of(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return text;
    while (bytes_max > 0 && is_continuation(text[bytes_max])) --bytes_max;
    return text.substr(0, bytes_max);
}

std::string excerpt(std::string_view text) {
    if (text.size() <= kExcerptBytesMax) return std::string(text);
    std::string out(beginning_of(text, kExcerptBytesMax - kEllipsis.size()));
    out += kEllipsis;
    return out;
}

std::size_t characters_in(std::string_view text) {
    const auto continuations = std::count_if(text.begin(), text.end(), is_continuation);
    return text.size() - static_cast<std::size_t>(continuations);
}

}  // namespace quire
