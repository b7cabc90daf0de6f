#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace quire {

/// The beginning of `text`, of at most `bytes_max`, without half a character of UTF-8 at its end.
std::string_view beginning_of(std::string_view text, std::size_t bytes_max);

/// What a message may quote of a text that somebody sent, who may have sent megabytes: at most 100
/// bytes, with an ellipsis as the last of them where there was more.
std::string excerpt(std::string_view text);

/// How many characters (code points) a text of UTF-8 has.
std::size_t characters_in(std::string_view text);

}  // namespace quire
