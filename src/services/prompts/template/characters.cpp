#include "services/prompts/template/characters.hpp"

#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/stringoptions.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstring>

namespace quire::prompts {
namespace {

/// By `map`, which calls a mapping of ICU with the rules of no language.
template <class Map>
std::string mapped(std::string_view text, const Map& map) {
    const auto size = static_cast<std::int32_t>(text.size());
    std::string out;
    icu::StringByteSink<std::string> sink(&out, size);
    UErrorCode status = U_ZERO_ERROR;
    map(icu::StringPiece(text.data(), size), sink, status);
    return out;
}

bool ends_word(char32_t code_point) {
    return code_point == '-' || code_point == '(' || code_point == '{' || code_point == '[' ||
           code_point == '<' || is_space(code_point);
}

/// Of the first word, which is empty when the text begins with what ends one.
std::size_t first_word_bytes(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const std::string_view character = first_character(text.substr(at));
        if (ends_word(code_point_of(character))) break;
        at += character.size();
    }
    return at;
}

/// The last character; "" of the empty text.
std::string_view last_character(std::string_view text) {
    std::size_t begin = text.size();
    while (begin > 0 && U8_IS_TRAIL(text[begin - 1])) --begin;
    return text.substr(begin == 0 ? 0 : begin - 1);
}

std::string titled_word(std::string_view word) {
    const std::string_view head = first_character(word);
    return upper(head) + lower(word.substr(head.size()));
}

}  // namespace

std::size_t find_text(std::string_view text, std::string_view part, std::size_t from) {
    const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
    if (found == nullptr) return std::string_view::npos;
    return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

std::string_view first_character(std::string_view text) {
    std::size_t end = text.empty() ? 0 : 1;
    while (end < text.size() && U8_IS_TRAIL(text[end])) ++end;
    return text.substr(0, end);
}

std::vector<std::string_view> characters_of(std::string_view text) {
    std::vector<std::string_view> characters;
    while (!text.empty()) {
        characters.push_back(first_character(text));
        text.remove_prefix(characters.back().size());
    }
    return characters;
}

std::size_t bytes_of(std::string_view text, std::size_t count) {
    std::size_t at = 0;
    for (; count > 0 && at < text.size(); --count) at += first_character(text.substr(at)).size();
    return at;
}

std::size_t count_characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char byte) { return !U8_IS_TRAIL(byte); }));
}

char32_t code_point_of(std::string_view character) {
    if (character.empty()) return 0;
    const auto lead = static_cast<unsigned char>(character[0]);
    if (character.size() == 1) return lead;
    // The lead byte has as many ones as the character has bytes.
    char32_t code_point = lead & (0xFFU >> (character.size() + 1));
    for (const char byte : character.substr(1)) {
        code_point = (code_point << 6) | (static_cast<unsigned char>(byte) & 0x3FU);
    }
    return code_point;
}

void append_code_point(std::string& out, char32_t code_point) {
    char bytes[U8_MAX_LENGTH];
    int size = 0;
    U8_APPEND_UNSAFE(bytes, size, static_cast<UChar32>(code_point));
    out.append(bytes, static_cast<std::size_t>(size));
}

bool is_space(char32_t code_point) {
    return (code_point >= 0x09 && code_point <= 0x0D) ||
           (code_point >= 0x1C && code_point <= 0x20) || code_point == 0x85 || code_point == 0xA0 ||
           code_point == 0x1680 || (code_point >= 0x2000 && code_point <= 0x200A) ||
           code_point == 0x2028 || code_point == 0x2029 || code_point == 0x202F ||
           code_point == 0x205F || code_point == 0x3000;
}

bool is_printable(char32_t code_point) {
    if (code_point < 0x7F) return code_point >= ' ';
    const auto kind = U_MASK(u_charType(static_cast<UChar32>(code_point)));
    return (kind & (U_GC_C_MASK | U_GC_Z_MASK)) == 0;
}

std::string_view trim_left(std::string_view text) {
    while (!text.empty() && is_space(code_point_of(first_character(text)))) {
        text.remove_prefix(first_character(text).size());
    }
    return text;
}

std::string_view trim_right(std::string_view text) {
    while (!text.empty() && is_space(code_point_of(last_character(text)))) {
        text.remove_suffix(last_character(text).size());
    }
    return text;
}

std::string_view trim_set(std::string_view text, std::string_view set) {
    std::vector<bool> is_in_set;  // by code points, up to the largest one
    for (; !set.empty(); set.remove_prefix(first_character(set).size())) {
        const char32_t code_point = code_point_of(first_character(set));
        if (code_point >= is_in_set.size()) is_in_set.resize(code_point + 1);
        is_in_set[code_point] = true;
    }
    const auto holds = [&](std::string_view character) {
        const char32_t code_point = code_point_of(character);
        return code_point < is_in_set.size() && is_in_set[code_point];
    };
    while (!text.empty() && holds(first_character(text))) {
        text.remove_prefix(first_character(text).size());
    }
    while (!text.empty() && holds(last_character(text))) {
        text.remove_suffix(last_character(text).size());
    }
    return text;
}

std::string upper(std::string_view text) {
    return mapped(text, [](auto piece, auto& sink, UErrorCode& status) {
        icu::CaseMap::utf8ToUpper("", 0, piece, sink, nullptr, status);
    });
}

std::string lower(std::string_view text) {
    return mapped(text, [](auto piece, auto& sink, UErrorCode& status) {
        icu::CaseMap::utf8ToLower("", 0, piece, sink, nullptr, status);
    });
}

std::string capitalize(std::string_view text) {
    const std::string_view head = first_character(text);
    // Lowered as a whole, since what a letter becomes may depend on what stands before it.
    const std::string lowered = lower(text);
    const auto to_title = [](auto piece, auto& sink, UErrorCode& status) {
        icu::CaseMap::utf8ToTitle("", U_TITLECASE_WHOLE_STRING, nullptr, piece, sink, nullptr,
                                  status);
    };
    return mapped(head, to_title) + lowered.substr(lower(head).size());
}

std::string title(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, first_word_bytes(text));
        text.remove_prefix(word.size());
        const std::string_view end = first_character(text);
        text.remove_prefix(end.size());
        out += titled_word(word);
        out += end;
    }
    return out;
}

std::size_t count_words(std::string_view text) {
    std::size_t words = 0;
    for (; !text.empty(); ++words) {
        text.remove_prefix(first_word_bytes(text));
        text.remove_prefix(first_character(text).size());
    }
    return words;
}

}  // namespace quire::prompts
