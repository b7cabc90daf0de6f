#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace quire::prompts {

/// Text by characters (code points of UTF-8), with the rules of Python's `str`.
std::vector<std::string_view> characters_of(std::string_view text);
std::size_t count_characters(std::string_view text);
/// How many bytes the first `count` characters take, all when there are fewer.
std::size_t bytes_of(std::string_view text, std::size_t count);
/// Where `part` begins in `text` at or after `from`, npos when nowhere; in linear time, which
/// std::string_view::find does not promise.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from = 0);
/// The first character; "" of the empty text.
std::string_view first_character(std::string_view text);
char32_t code_point_of(std::string_view character);
void append_code_point(std::string& out, char32_t code_point);

bool is_space(char32_t code_point);
/// Whether repr() shows it as it is.
bool is_printable(char32_t code_point);
std::string_view trim_left(std::string_view text);
std::string_view trim_right(std::string_view text);
/// Without the characters in `set` at either end.
std::string_view trim_set(std::string_view text, std::string_view set);

std::string upper(std::string_view text);
std::string lower(std::string_view text);
/// The first character as a title has it, the others in lower case.
std::string capitalize(std::string_view text);
/// Each word's first character in upper case, where words end at spaces and `-({[<`.
std::string title(std::string_view text);
/// How many words `title` changes, one after the other.
std::size_t count_words(std::string_view text);

}  // namespace quire::prompts
