#include "base/words.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace quire {
namespace {

constexpr std::size_t kWordMax = 64;
constexpr std::size_t kNameMax = 100;
constexpr std::array<std::string_view, 7> kScopes{"inference",    "prompts:read",  "prompts:write",
                                                  "credits:read", "credits:write", "requests:read",
                                                  "keys:write"};
constexpr std::array<std::string_view, 4> kStatuses{"completed", "blocked", "failed", "cancelled"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& all, std::string_view one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

Result<void> check_word(std::string_view what, std::string_view word) {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
    // Clients take a step of dots out of a URL.
    const bool is_dots = word == "." || word == "..";
    if (!word.empty() && word.size() <= kWordMax && !is_dots &&
        word.find_first_not_of(kLetters) == std::string_view::npos) {
        return {};
    }
    return Error(ErrorCode::kInvalidValue,
                 fmt::format("{}: '{}' must be 1 to {} of a-z, 0-9, '_', '.' and '-'", what,
                             excerpt(word), kWordMax))
        .with_param(std::string(what));
}

Result<void> check_name(std::string_view name) {
    const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
    if (std::any_of(name.begin(), name.end(), is_control)) {
        return Error(ErrorCode::kInvalidValue, "name must not have control characters")
            .with_param("name");
    }
    const std::size_t characters = characters_in(name);
    if (characters >= 1 && characters <= kNameMax) return {};
    return Error(ErrorCode::kInvalidValue,
                 fmt::format("name must have 1 to {} characters, it has {}", kNameMax, characters))
        .with_param("name");
}

std::span<const std::string_view> all_scopes() { return kScopes; }

Result<void> check_scope(std::string_view scope) {
    if (is_one_of(kScopes, scope)) return {};
    return Error(ErrorCode::kInvalidValue, fmt::format("'{}' is no scope; the scopes are {}",
                                                       excerpt(scope), fmt::join(kScopes, ", ")))
        .with_param("scopes");
}

Result<void> check_request_status(std::string_view status) {
    if (is_one_of(kStatuses, status)) return {};
    return Error(ErrorCode::kInvalidValue,
                 fmt::format("status must be one of {}", fmt::join(kStatuses, ", ")))
        .with_param("status");
}

}  // namespace quire
