#pragma once

#include "services/review/normalizer.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace quire::review {

/// A character of a pattern that the match copy never has, so that what needs it never matches.
struct LostCharacter {
    char32_t character = 0;
    std::string text;  ///< the character
    std::string form;  ///< what stands in the copy instead; "" when that is nothing
};

/// The first one of a pattern that RE2 has read. Looked at are characters beyond ASCII outside of
/// classes, each by itself: a class may match by its others.
std::optional<LostCharacter> lost_character_of(std::string_view pattern, CaseMode mode);

}  // namespace quire::review
