#pragma once

#include <unicode/utf8.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace quire::review {

inline constexpr char32_t kReplacement = 0xFFFD;

/// `character` is no surrogate.
inline void append_utf8(std::string& out, char32_t character) {
    std::array<char, U8_MAX_LENGTH> bytes;
    std::size_t size = 0;
    U8_APPEND_UNSAFE(bytes.data(), size, static_cast<UChar32>(character));
    out.append(bytes.data(), size);
}

/// UTF-8 byte by byte, so that it cannot matter how the text was cut. What is invalid becomes
/// U+FFFD, one for each longest beginning of a character (Unicode 15, 3.9, "U+FFFD substitution").
class Utf8Decoder {
public:
    enum class Step {
        kNeedsMore,   ///< the byte belongs to a character that is not complete
        kCharacter,   ///< the byte completes character()
        kBroken,      ///< what stood before was invalid; the byte must be given once more
        kBrokenByte,  ///< the byte itself is invalid, and taken
    };

    Step take(unsigned char byte) {
        if (missing_ == 0) return begin(byte);
        if (byte < low_ || byte > high_) {
            missing_ = 0;
            return Step::kBroken;
        }
        low_ = 0x80;
        high_ = 0xBF;
        character_ = (character_ << 6) | (byte & 0x3F);
        return --missing_ == 0 ? Step::kCharacter : Step::kNeedsMore;
    }
    char32_t character() const { return character_; }
    /// Whether the last bytes are the beginning of a character.
    bool is_inside() const { return missing_ > 0; }

private:
    Step begin(unsigned char byte) {
        low_ = 0x80;
        high_ = 0xBF;
        character_ = byte;
        if (byte < 0x80) return Step::kCharacter;
        if (byte < 0xC2 || byte > 0xF4) return Step::kBrokenByte;
        if (byte < 0xE0) {
            character_ = byte & 0x1F;
            missing_ = 1;
        } else if (byte < 0xF0) {
            character_ = byte & 0x0F;
            missing_ = 2;
            if (byte == 0xE0) low_ = 0xA0;
            if (byte == 0xED) high_ = 0x9F;
        } else {
            character_ = byte & 0x07;
            missing_ = 3;
            if (byte == 0xF0) low_ = 0x90;
            if (byte == 0xF4) high_ = 0x8F;
        }
        return Step::kNeedsMore;
    }

    char32_t character_ = 0;
    int missing_ = 0;
    unsigned char low_ = 0x80;
    unsigned char high_ = 0xBF;
};

}  // namespace quire::review
