#include "services/review/normalizer.hpp"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <array>

namespace quire::review {
namespace {

const icu::Normalizer2* forms_for(CaseMode mode) {
    UErrorCode status = U_ZERO_ERROR;
    const auto* forms = mode == CaseMode::kFold ? icu::Normalizer2::getNFKCCasefoldInstance(status)
                                                : icu::Normalizer2::getNFKCInstance(status);
    return U_SUCCESS(status) != 0 ? forms : nullptr;
}

const icu::Normalizer2& forms_of(const void* forms) {
    return *static_cast<const icu::Normalizer2*>(forms);
}

struct PlainByte {
    bool is_plain = false;          ///< ASCII that is visible or white space
    bool ends_its_segment = false;  ///< no mark can change it
    char folded = 0;
};

constexpr bool is_plain_ascii(int c) { return (c >= 0x20 && c < 0x7F) || (c >= 0x09 && c <= 0x0D); }

std::array<PlainByte, 256> make_plain_bytes(CaseMode mode) {
    std::array<PlainByte, 256> table{};
    const icu::Normalizer2* forms = forms_for(mode);
    if (forms == nullptr) return table;
    for (int c = 0; c < 0x80; ++c) {
        const bool is_upper = c >= 'A' && c <= 'Z';
        const int folded = mode == CaseMode::kFold && is_upper ? c + 32 : c;
        table[c] = {is_plain_ascii(c), forms->hasBoundaryAfter(c) != 0, static_cast<char>(folded)};
    }
    return table;
}

const std::array<PlainByte, 256>& plain_bytes(CaseMode mode) {
    static const auto fold = make_plain_bytes(CaseMode::kFold);
    static const auto exact = make_plain_bytes(CaseMode::kExact);
    return mode == CaseMode::kFold ? fold : exact;
}

/// Nobody sees them, so they must not hide a match: joiners, direction marks, variation selectors,
/// tags, soft hyphens, fillers, and controls that are no white space.
bool is_invisible(char32_t character) {
    const auto c = static_cast<UChar32>(character);
    if (c < 0xA0) return c != 0x85 && !is_plain_ascii(c);
    if (c >= 0xFFF9 && c <= 0xFFFB) return true;
    return u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) != 0;
}

}  // namespace

Normalizer::Normalizer(CaseMode mode)
    : mode_(mode), forms_(forms_for(mode)), has_failed_(forms_ == nullptr) {}

bool Normalizer::push(std::string_view raw, MatchCopy& copy) {
    if (has_failed_) return false;
    std::size_t at = 0;
    while (at < raw.size()) {
        const std::size_t plain = take_plain(raw.substr(at), copy);
        at += plain;
        if (at < raw.size() && plain == 0) take_byte(static_cast<unsigned char>(raw[at++]), copy);
    }
    return !has_failed_;
}

bool Normalizer::finish(MatchCopy& copy) {
    if (has_failed_) return false;
    if (decoder_.is_inside()) {
        take_character(kReplacement, {character_begin_, taken_}, copy);
        decoder_ = Utf8Decoder();
    }
    flush(copy);
    return !has_failed_;
}

std::uint64_t Normalizer::raw_begin_of_rest() const {
    if (segment_size_ > 0) return segment_raw_.begin;
    return decoder_.is_inside() ? character_begin_ : taken_;
}

/// The fast way: a stretch of plain ASCII goes to the copy as it is; its last character waits when
/// a mark could still change it. How many bytes were taken.
std::size_t Normalizer::take_plain(std::string_view raw, MatchCopy& copy) {
    if (decoder_.is_inside()) return 0;
    const auto& table = plain_bytes(mode_);
    std::array<char, 256> folded;
    std::size_t size = 0;
    while (size < raw.size() && size < folded.size()) {
        const PlainByte& plain = table[static_cast<unsigned char>(raw[size])];
        if (!plain.is_plain) break;
        folded[size++] = plain.folded;
    }
    if (size == 0) return 0;
    flush(copy);
    invisible_in_row_ = 0;
    const bool waits = !table[static_cast<unsigned char>(raw[size - 1])].ends_its_segment;
    copy.append_linear({folded.data(), waits ? size - 1 : size}, taken_);
    taken_ += size;
    if (waits) {
        segment_[0] = static_cast<unsigned char>(raw[size - 1]);
        segment_size_ = 1;
        segment_raw_ = {taken_ - 1, taken_};
    }
    return size;
}

void Normalizer::take_byte(unsigned char byte, MatchCopy& copy) {
    if (!decoder_.is_inside()) character_begin_ = taken_;
    Utf8Decoder::Step step = decoder_.take(byte);
    if (step == Utf8Decoder::Step::kBroken) {
        take_character(kReplacement, {character_begin_, taken_}, copy);
        character_begin_ = taken_;
        step = decoder_.take(byte);
    }
    ++taken_;
    if (step == Utf8Decoder::Step::kNeedsMore) return;
    const char32_t character =
        step == Utf8Decoder::Step::kCharacter ? decoder_.character() : kReplacement;
    take_character(character, {character_begin_, taken_}, copy);
}

void Normalizer::take_character(char32_t character, RawSpan raw, MatchCopy& copy) {
    if (!is_invisible(character)) {
        invisible_in_row_ = 0;
    } else if (++invisible_in_row_ <= kInvisibleMax) {
        return;
    } else {
        invisible_in_row_ = 0;
        character = kReplacement;
    }
    const icu::Normalizer2& forms = forms_of(forms_);
    const auto c = static_cast<UChar32>(character);
    if (segment_size_ == kSegmentMax || forms.hasBoundaryBefore(c) != 0) flush(copy);
    if (segment_size_ == 0) segment_raw_.begin = raw.begin;
    segment_[segment_size_++] = character;
    segment_raw_.end = raw.end;
    if (forms.hasBoundaryAfter(c) != 0) flush(copy);
}

void Normalizer::flush(MatchCopy& copy) {
    if (segment_size_ == 0) return;
    if (segment_size_ == 1 && segment_[0] < 0x80) {
        const char folded = plain_bytes(mode_)[segment_[0]].folded;
        copy.append_linear({&folded, 1}, segment_raw_.begin);
        segment_size_ = 0;
        return;
    }
    const auto only = static_cast<UChar32>(segment_[0]);
    if (segment_size_ == 1 && forms_of(forms_).isInert(only) != 0) {
        std::array<char, U8_MAX_LENGTH> bytes;
        std::size_t size = 0;
        U8_APPEND_UNSAFE(bytes.data(), size, only);
        copy.append_segment({bytes.data(), size}, segment_raw_);
        segment_size_ = 0;
        return;
    }
    const auto source =
        icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(segment_), segment_size_);
    segment_size_ = 0;
    UErrorCode status = U_ZERO_ERROR;
    const icu::UnicodeString form = forms_of(forms_).normalize(source, status);
    if (U_FAILURE(status) != 0 || form.isBogus() != 0) {
        has_failed_ = true;
        return;
    }
    std::string bytes;
    form.toUTF8String(bytes);
    copy.append_segment(bytes, segment_raw_);
}

std::string normalized(std::string_view text, CaseMode mode) {
    Normalizer normalizer(mode);
    MatchCopy copy;
    if (!normalizer.push(text, copy) || !normalizer.finish(copy)) return "";
    return std::string(copy.text());
}

}  // namespace quire::review
