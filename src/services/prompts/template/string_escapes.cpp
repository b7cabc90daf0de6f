#include "services/prompts/template/characters.hpp"
#include "services/prompts/template/lexer.hpp"

#include <fmt/format.h>

#include <charconv>

namespace quire::prompts {
namespace {

constexpr std::string_view kPlain = "\\'\"abfnrtv";
constexpr std::string_view kMeant = "\\'\"\a\b\f\n\r\t\v";

/// How many hexadecimal digits follow the letter; 0 when it is none of these escapes.
std::size_t hex_digits(char letter) {
    if (letter == 'x') return 2;
    if (letter == 'u') return 4;
    return letter == 'U' ? 8 : 0;
}

Result<char32_t> code_point(std::string_view digits, std::size_t wanted, Position at) {
    std::uint32_t number = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
    const bool is_whole = digits.size() == wanted && read.ptr == digits.data() + digits.size();
    const bool is_character = number < 0xD800 || (number > 0xDFFF && number <= 0x10FFFF);
    if (!is_whole || !is_character) {
        return error_at(at, fmt::format("this string has an escape that is no character: \\{}{}",
                                        wanted == 2   ? 'x'
                                        : wanted == 4 ? 'u'
                                                      : 'U',
                                        digits));
    }
    return static_cast<char32_t>(number);
}

bool is_octal(char letter) { return letter >= '0' && letter <= '7'; }

/// Up to three octal digits from the beginning of `text`; how many there were.
std::size_t append_octal(std::string& out, std::string_view text) {
    char32_t number = 0;
    std::size_t size = 0;
    while (size < 3 && size < text.size() && is_octal(text[size])) {
        number = number * 8 + static_cast<char32_t>(text[size++] - '0');
    }
    append_code_point(out, number);
    return size;
}

}  // namespace

Result<std::string> unescaped(std::string_view quoted, Position at) {
    std::string out;
    while (!quoted.empty()) {
        const std::size_t next = std::min(quoted.find('\\'), quoted.size());
        out += quoted.substr(0, next);
        quoted.remove_prefix(next);
        if (quoted.size() < 2) break;
        const char letter = quoted[1];
        std::size_t used = 2;
        if (const auto kind = kPlain.find(letter); kind != std::string_view::npos) {
            out += kMeant[kind];
        } else if (const std::size_t digits = hex_digits(letter); digits > 0) {
            QUIRE_TRY(const char32_t read, code_point(quoted.substr(2, digits), digits, at));
            append_code_point(out, read);
            used += digits;
        } else if (is_octal(letter)) {
            used = 1 + append_octal(out, quoted.substr(1));
        } else if (letter == 'N') {
            return error_at(at, "characters by name (\\N) are not supported; write the character");
        } else if (letter != '\n') {
            out += quoted.substr(0, 2);
        }
        quoted.remove_prefix(used);
    }
    return out;
}

}  // namespace quire::prompts
