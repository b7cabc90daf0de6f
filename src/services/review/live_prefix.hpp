#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quire::review {

/// A pattern for every beginning, the empty and the whole included, of what `pattern` matches;
/// assertions (\b, ^, $) are taken to hold. Searched at the end of a text it finds the earliest
/// place where a match may still be growing, so that nothing before it need be held back. nullopt
/// for syntax that this does not understand; the caller then holds the pattern's width.
std::optional<std::string> live_prefix_of(std::string_view pattern);

}  // namespace quire::review
