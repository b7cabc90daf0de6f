#pragma once

#include "services/review/match_copy.hpp"
#include "services/review/utf8_decoder.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace quire::review {

enum class CaseMode { kFold, kExact };

/// Writes the match copy of a text that comes in pieces: compatibility forms (NFKC) become plain,
/// invisible characters vanish, and letters are folded where the mode says so. The copy is a
/// function of the whole text, never of where it was cut. What is kept back is a started character
/// and the last base character while combining marks may follow it.
class Normalizer {
public:
    /// Marks after one base character beyond this stand alone, as in Unicode's stream-safe form.
    static constexpr int kSegmentMax = 32;
    /// So many invisible characters in a row vanish; the next one stands as U+FFFD.
    static constexpr int kInvisibleMax = 256;

    explicit Normalizer(CaseMode mode);

    /// False when Unicode's tables failed: the text is not reviewed then.
    [[nodiscard]] bool push(std::string_view raw, MatchCopy& copy);
    [[nodiscard]] bool finish(MatchCopy& copy);
    /// The first raw byte that the copy may still get something for.
    std::uint64_t raw_begin_of_rest() const;

private:
    std::size_t take_plain(std::string_view raw, MatchCopy& copy);
    void take_byte(unsigned char byte, MatchCopy& copy);
    void take_character(char32_t character, RawSpan raw, MatchCopy& copy);
    void flush(MatchCopy& copy);

    CaseMode mode_;
    const void* forms_;  ///< the library's normaliser, which outlives everything
    Utf8Decoder decoder_;
    std::uint64_t taken_ = 0;            ///< raw bytes so far
    std::uint64_t character_begin_ = 0;  ///< of the character that the decoder is inside
    char32_t segment_[kSegmentMax] = {};
    int segment_size_ = 0;
    RawSpan segment_raw_;
    int invisible_in_row_ = 0;
    bool has_failed_ = false;
};

/// The whole copy of a text, for what is compared with it.
std::string normalized(std::string_view text, CaseMode mode);

}  // namespace quire::review
