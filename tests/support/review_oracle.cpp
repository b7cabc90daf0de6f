#include "tests/support/review_oracle.hpp"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <map>

namespace quire::test {
namespace {

/// One code point and the bytes that it came from.
struct Character {
    UChar32 c;
    std::size_t begin;
    std::size_t end;
};

/// The match copy, and for each of its bytes where it came from.
struct Copy {
    std::string bytes;
    std::vector<std::pair<std::size_t, std::size_t>> raw;
};

struct Span {
    std::size_t begin;
    std::size_t end;
    std::size_t rule;
};

bool is_continuation(unsigned char lead, std::size_t place, unsigned char byte) {
    if (place == 1) {
        if (lead == 0xE0) return byte >= 0xA0 && byte <= 0xBF;
        if (lead == 0xED) return byte >= 0x80 && byte <= 0x9F;
        if (lead == 0xF0) return byte >= 0x90 && byte <= 0xBF;
        if (lead == 0xF4) return byte >= 0x80 && byte <= 0x8F;
    }
    return byte >= 0x80 && byte <= 0xBF;
}

std::vector<Character> decode(std::string_view text) {
    std::vector<Character> out;
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        std::size_t wanted = 1;
        if (lead >= 0xC2 && lead <= 0xDF) wanted = 2;
        if (lead >= 0xE0 && lead <= 0xEF) wanted = 3;
        if (lead >= 0xF0 && lead <= 0xF4) wanted = 4;
        std::size_t size = 1;
        while (size < wanted && i + size < text.size() &&
               is_continuation(lead, size, static_cast<unsigned char>(text[i + size]))) {
            ++size;
        }
        UChar32 c = 0xFFFD;
        if (wanted == 1 && lead < 0x80) c = lead;
        if (wanted > 1 && size == wanted) {
            c = lead & (0x7F >> wanted);
            for (std::size_t k = 1; k < size; ++k) c = (c << 6) | (text[i + k] & 0x3F);
        }
        out.push_back({c, i, i + size});
        i += size;
    }
    return out;
}

bool is_hidden(UChar32 c) {
    const bool is_space = (c >= 0x09 && c <= 0x0D) || c == 0x85;
    if (u_charType(c) == U_CONTROL_CHAR) return !is_space;
    return u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) ||
           (c >= 0xFFF9 && c <= 0xFFFB);
}

std::vector<Character> without_hidden(const std::vector<Character>& from) {
    std::vector<Character> out;
    int in_row = 0;
    for (Character character : from) {
        if (!is_hidden(character.c)) {
            in_row = 0;
        } else if (++in_row <= 256) {
            continue;
        } else {
            in_row = 0;
            character.c = 0xFFFD;
        }
        out.push_back(character);
    }
    return out;
}

std::string form_of(const std::vector<Character>& segment, const UNormalizer2* forms) {
    std::vector<UChar> source;
    for (const Character& character : segment) {
        if (character.c > 0xFFFF) source.push_back(U16_LEAD(character.c));
        source.push_back(character.c > 0xFFFF ? U16_TRAIL(character.c)
                                              : static_cast<UChar>(character.c));
    }
    std::vector<UChar> form(source.size() * 18 + 64);
    UErrorCode status = U_ZERO_ERROR;
    const int size = unorm2_normalize(forms, source.data(), static_cast<int>(source.size()),
                                      form.data(), static_cast<int>(form.size()), &status);
    std::string out;
    for (int i = 0; i < size;) {
        UChar32 c = 0;
        U16_NEXT(form.data(), i, size, c);
        std::array<char, 4> bytes{};
        int length = 0;
        U8_APPEND_UNSAFE(bytes.data(), length, c);
        out.append(bytes.data(), static_cast<std::size_t>(length));
    }
    return out;
}

Copy copy_of(std::string_view text, bool folds) {
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2* forms =
        folds ? unorm2_getNFKCCasefoldInstance(&status) : unorm2_getNFKCInstance(&status);
    const std::vector<Character> all = without_hidden(decode(text));
    Copy copy;
    for (std::size_t i = 0; i < all.size();) {
        std::size_t end = i + 1;
        while (end < all.size() && end - i < 32 && !unorm2_hasBoundaryBefore(forms, all[end].c) &&
               !unorm2_hasBoundaryAfter(forms, all[end - 1].c)) {
            ++end;
        }
        const std::vector<Character> segment(all.begin() + static_cast<std::ptrdiff_t>(i),
                                             all.begin() + static_cast<std::ptrdiff_t>(end));
        copy.bytes += form_of(segment, forms);
        copy.raw.resize(copy.bytes.size(), {segment.front().begin, segment.back().end});
        i = end;
    }
    return copy;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool is_alnum(char c) { return is_digit(c) || is_letter(c); }

/// What may stand between two groups of a card.
constexpr std::array<std::string_view, 9> kJoiners{" ",      "-",      "\u2010", "\u2011", "\u2012",
                                                   "\u2013", "\u2014", "\u2015", "\u2212"};

bool is_card(std::string_view text) {
    std::string digits;
    for (std::size_t i = 0; i < text.size();) {
        if (is_digit(text[i])) {
            digits += text[i++];
            continue;
        }
        std::size_t size = 0;
        for (const std::string_view joiner : kJoiners) {
            if (text.substr(i).starts_with(joiner)) size = joiner.size();
        }
        const bool joins = size > 0 && i > 0 && i + size < text.size() && is_digit(text[i - 1]) &&
                           is_digit(text[i + size]);
        if (!joins) return false;
        i += size;
    }
    if (digits.size() < 13 || digits.size() > 19) return false;
    int sum = 0;
    std::reverse(digits.begin(), digits.end());
    for (std::size_t i = 0; i < digits.size(); ++i) {
        const int value = (digits[i] - '0') * (i % 2 == 1 ? 2 : 1);
        sum += value / 10 + value % 10;
    }
    return sum % 10 == 0;
}

std::size_t card_at(std::string_view text, std::size_t at) {
    if (!is_digit(text[at]) || (at > 0 && is_digit(text[at - 1]))) return 0;
    for (std::size_t size = std::min<std::size_t>(80, text.size() - at); size >= 13; --size) {
        const bool is_cut = at + size < text.size() && is_digit(text[at + size]);
        if (!is_cut && is_card(text.substr(at, size))) return size;
    }
    return 0;
}

/// The countries that the tests write about.
const std::map<std::string, std::size_t> kIbanLengths{{"DE", 22}, {"GB", 22}, {"NO", 15},
                                                      {"MT", 31}, {"FR", 27}, {"CH", 21}};

std::size_t iban_at(std::string_view text, std::size_t at) {
    if (!is_letter(text[at]) || (at > 0 && is_alnum(text[at - 1]))) return 0;
    std::string iban;
    std::size_t wanted = 4;
    std::size_t end = at;
    while (iban.size() < wanted) {
        if (end == text.size()) return 0;
        if (text[end] == ' ' && !iban.empty() && iban.size() % 4 == 0 && text[end - 1] != ' ') {
            ++end;
            continue;
        }
        if (!is_alnum(text[end])) return 0;
        iban += static_cast<char>(std::toupper(text[end++]));
        if (iban.size() == 2) {
            const auto found = kIbanLengths.find(iban);
            if (found == kIbanLengths.end()) return 0;
            wanted = found->second;
        }
    }
    if (!is_letter(iban[1]) || !is_digit(iban[2]) || !is_digit(iban[3])) return 0;
    if (end < text.size() && is_alnum(text[end])) return 0;
    std::string number;
    for (const char c : iban.substr(4) + iban.substr(0, 4)) {
        number += is_digit(c) ? std::string(1, c) : std::to_string(c - 'A' + 10);
    }
    int rest = 0;
    for (const char c : number) rest = (rest * 10 + c - '0') % 97;
    return rest == 1 ? end - at : 0;
}

std::uint32_t crc32_of(std::string_view text) {
    std::uint32_t crc = 0xFFFFFFFF;
    for (const char c : text) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320U : 0);
    }
    return ~crc;
}

bool has_own_checksum(std::string_view key) {
    constexpr std::string_view kDigits =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if (!key.starts_with("qk_live_")) return true;
    std::uint64_t value = 0;
    for (const char c : key.substr(key.size() - 6)) value = value * 62 + kDigits.find(c);
    return value == crc32_of(key.substr(0, key.size() - 7));
}

constexpr const char* kEmail =
    R"([0-9A-Za-z.%+_-]{1,64}@([0-9A-Za-z-]{1,63}[.]){1,6}[A-Za-z]{2,23})";
constexpr const char* kKeys =
    R"(\bqk_live_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}\b|\bsk-[0-9A-Za-z_-]{20,240}|)"
    R"(\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,251}|)"
    R"(-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY-----)";

std::size_t regex_at(const re2::RE2& regex, std::string_view text, std::size_t at) {
    re2::StringPiece match;
    const bool is_found =
        regex.Match({text.data(), text.size()}, at, text.size(), re2::RE2::ANCHOR_START, &match, 1);
    return is_found ? match.size() : 0;
}

std::size_t literal_at(const std::vector<std::string>& literals, std::string_view text,
                       std::size_t at) {
    std::size_t longest = 0;
    for (const std::string& literal : literals) {
        if (text.substr(at).starts_with(literal)) longest = std::max(longest, literal.size());
    }
    return longest;
}

std::shared_ptr<re2::RE2> regex_for(const std::string& pattern, bool folds) {
    re2::RE2::Options options;
    options.set_longest_match(true);
    options.set_case_sensitive(!folds);
    return std::make_shared<re2::RE2>(pattern, options);
}

}  // namespace

ReviewOracle::ReviewOracle(std::vector<review::RuleConfig> rules) {
    for (review::RuleConfig& rule : rules) {
        Compiled compiled;
        const bool has_case = rule.kind == "literal" || rule.kind == "regex";
        compiled.folds = has_case && rule.case_mode == "fold";
        for (const std::string& value : rule.values) {
            compiled.literals.push_back(copy_of(value, compiled.folds).bytes);
        }
        if (rule.kind == "regex") compiled.regex = regex_for(rule.pattern, compiled.folds);
        if (rule.kind == "pii.email") compiled.regex = regex_for(kEmail, false);
        if (rule.kind == "secret.api_key") compiled.regex = regex_for(kKeys, false);
        compiled.config = std::move(rule);
        rules_.push_back(std::move(compiled));
    }
}

ReviewOracle::Answer ReviewOracle::review(std::string_view text) const {
    const std::array<Copy, 2> copies{copy_of(text, false), copy_of(text, true)};
    std::vector<Span> spans;
    for (std::size_t r = 0; r < rules_.size(); ++r) {
        const Compiled& rule = rules_[r];
        const Copy& copy = copies[rule.folds ? 1 : 0];
        for (std::size_t at = 0; at < copy.bytes.size();) {
            std::size_t size = 0;
            if (rule.config.kind == "literal") size = literal_at(rule.literals, copy.bytes, at);
            if (rule.config.kind == "pii.card") size = card_at(copy.bytes, at);
            if (rule.config.kind == "pii.iban") size = iban_at(copy.bytes, at);
            if (rule.regex) size = regex_at(*rule.regex, copy.bytes, at);
            if (rule.config.kind == "secret.api_key" && size > 0 &&
                !has_own_checksum(std::string_view(copy.bytes).substr(at, size))) {
                size = 0;
            }
            if (size > 0) {
                spans.push_back({copy.raw[at].first, copy.raw[at + size - 1].second, r});
            }
            at += std::max<std::size_t>(size, 1);
        }
    }
    std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) {
        return a.begin != b.begin ? a.begin < b.begin : a.rule < b.rule;
    });

    Answer answer;
    answer.tally.assign(rules_.size(), 0);
    std::size_t cut = text.size();
    for (const Span& span : spans) {
        if (rules_[span.rule].config.action != "block") continue;
        cut = span.begin;
        answer.blocked_by = rules_[span.rule].config.name;
        ++answer.tally[span.rule];
        break;
    }
    std::size_t done = 0;
    for (const Span& span : spans) {
        if (span.begin >= cut) break;
        ++answer.tally[span.rule];
        const review::RuleConfig& config = rules_[span.rule].config;
        if (config.action != "redact") continue;
        if (span.begin >= done) {
            answer.text += text.substr(done, span.begin - done);
            answer.text +=
                config.replacement.empty() ? "[redacted:" + config.name + "]" : config.replacement;
        }
        done = std::max(done, span.end);
    }
    if (done < cut) answer.text += text.substr(done, cut - done);
    return answer;
}

}  // namespace quire::test
