#include "services/review/hand_scanners.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace quire::review {
namespace {

constexpr int kCardDigitsMin = 13;
constexpr int kCardDigitsMax = 19;
constexpr int kIbanMax = 34;
constexpr std::size_t kLocalMax = 64;
constexpr std::size_t kLabelMax = 63;
constexpr int kLabelsMax = 6;
constexpr std::size_t kTopMin = 2;
constexpr std::size_t kTopMax = 23;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alnum(char c) {
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
constexpr bool is_letter(char c) { return is_alnum(c) && !is_digit(c); }

/// What may stand before the @ of an address.
constexpr std::array<bool, 256> make_local_bytes() {
    std::array<bool, 256> is_local{};
    for (int c = 0; c < 0x80; ++c) is_local[c] = is_alnum(static_cast<char>(c));
    for (const char c : std::string_view("._%+-")) is_local[static_cast<unsigned char>(c)] = true;
    return is_local;
}
constexpr std::array<bool, 256> kIsLocal = make_local_bytes();

constexpr char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

bool passes_luhn(const std::array<char, kCardDigitsMax>& digits, int count) {
    int sum = 0;
    for (int i = 0; i < count; ++i) {
        int value = digits[i] - '0';
        if ((count - i) % 2 == 0) {
            value *= 2;
            if (value > 9) value -= 9;
        }
        sum += value;
    }
    return sum % 10 == 0;
}

/// What is known of the candidate at one place.
struct Candidate {
    std::uint64_t end = 0;  ///< of the longest match so far; 0: none
    bool may_grow = false;  ///< the text ended before that was decided
};

/// The size of the space or dash that `text` begins with; 0 when it begins with something else.
/// Besides ASCII these are U+2010 to U+2015 and the minus sign U+2212.
std::size_t joiner_size(std::string_view text) {
    if (text.starts_with(' ') || text.starts_with('-')) return 1;
    if (text.starts_with("\xE2\x88\x92")) return 3;
    const bool is_dash =
        text.size() >= 3 && text.starts_with("\xE2\x80") && text[2] >= '\x90' && text[2] <= '\x95';
    return is_dash ? 3 : 0;
}

/// `text` begins with a whole group's first digit.
Candidate card_at(std::string_view text, bool is_whole) {
    std::array<char, kCardDigitsMax> digits{};
    int count = 0;
    std::size_t at = 0;
    Candidate card;
    while (true) {
        while (at < text.size() && is_digit(text[at])) {
            if (count == kCardDigitsMax) return card;
            digits[count++] = text[at++];
        }
        if (at == text.size() && !is_whole) {
            card.may_grow = true;
            return card;
        }
        if (count >= kCardDigitsMin && passes_luhn(digits, count)) card.end = at;
        if (at == text.size() || count == kCardDigitsMax) return card;
        // The copy holds whole characters, so a joiner is never cut.
        const std::size_t joiner = joiner_size(text.substr(at));
        if (joiner == 0) return card;
        at += joiner;
        if (at == text.size() && !is_whole) {
            card.may_grow = true;
            return card;
        }
        if (at == text.size() || !is_digit(text[at])) return card;
    }
}

struct CountryLength {
    std::string_view country;
    int length;
};

/// The SWIFT IBAN registry.
constexpr std::array kCountries{
    CountryLength{"AD", 24}, CountryLength{"AE", 23}, CountryLength{"AL", 28},
    CountryLength{"AT", 20}, CountryLength{"AZ", 28}, CountryLength{"BA", 20},
    CountryLength{"BE", 16}, CountryLength{"BG", 22}, CountryLength{"BH", 22},
    CountryLength{"BI", 27}, CountryLength{"BR", 29}, CountryLength{"BY", 28},
    CountryLength{"CH", 21}, CountryLength{"CR", 22}, CountryLength{"CY", 28},
    CountryLength{"CZ", 24}, CountryLength{"DE", 22}, CountryLength{"DJ", 27},
    CountryLength{"DK", 18}, CountryLength{"DO", 28}, CountryLength{"EE", 20},
    CountryLength{"EG", 29}, CountryLength{"ES", 24}, CountryLength{"FI", 18},
    CountryLength{"FK", 18}, CountryLength{"FO", 18}, CountryLength{"FR", 27},
    CountryLength{"GB", 22}, CountryLength{"GE", 22}, CountryLength{"GI", 23},
    CountryLength{"GL", 18}, CountryLength{"GR", 27}, CountryLength{"GT", 28},
    CountryLength{"HR", 21}, CountryLength{"HU", 28}, CountryLength{"IE", 22},
    CountryLength{"IL", 23}, CountryLength{"IQ", 23}, CountryLength{"IS", 26},
    CountryLength{"IT", 27}, CountryLength{"JO", 30}, CountryLength{"KW", 30},
    CountryLength{"KZ", 20}, CountryLength{"LB", 28}, CountryLength{"LC", 32},
    CountryLength{"LI", 21}, CountryLength{"LT", 20}, CountryLength{"LU", 20},
    CountryLength{"LV", 21}, CountryLength{"LY", 25}, CountryLength{"MC", 27},
    CountryLength{"MD", 24}, CountryLength{"ME", 22}, CountryLength{"MK", 19},
    CountryLength{"MN", 20}, CountryLength{"MR", 27}, CountryLength{"MT", 31},
    CountryLength{"MU", 30}, CountryLength{"NI", 28}, CountryLength{"NL", 18},
    CountryLength{"NO", 15}, CountryLength{"OM", 23}, CountryLength{"PK", 24},
    CountryLength{"PL", 28}, CountryLength{"PS", 29}, CountryLength{"PT", 25},
    CountryLength{"QA", 29}, CountryLength{"RO", 24}, CountryLength{"RS", 22},
    CountryLength{"RU", 33}, CountryLength{"SA", 24}, CountryLength{"SC", 31},
    CountryLength{"SD", 18}, CountryLength{"SE", 24}, CountryLength{"SI", 19},
    CountryLength{"SK", 24}, CountryLength{"SM", 27}, CountryLength{"SO", 23},
    CountryLength{"ST", 25}, CountryLength{"SV", 28}, CountryLength{"TL", 23},
    CountryLength{"TN", 24}, CountryLength{"TR", 26}, CountryLength{"UA", 29},
    CountryLength{"VA", 22}, CountryLength{"VG", 24}, CountryLength{"XK", 20},
    CountryLength{"YE", 30}};

using Lengths = std::array<std::uint8_t, 26 * 26>;

constexpr Lengths make_lengths() {
    Lengths lengths{};
    for (const CountryLength& row : kCountries) {
        lengths[(row.country[0] - 'A') * 26 + (row.country[1] - 'A')] =
            static_cast<std::uint8_t>(row.length);
    }
    return lengths;
}
constexpr Lengths kLengths = make_lengths();

/// 0 for letters that name no country, or no letters.
int length_for(char first, char second) {
    const char a = upper(first);
    const char b = upper(second);
    if (a < 'A' || a > 'Z' || b < 'A' || b > 'Z') return 0;
    return kLengths[(a - 'A') * 26 + (b - 'A')];
}

bool passes_mod_97(const std::array<char, kIbanMax>& iban, int length) {
    int rest = 0;
    for (int i = 0; i < length; ++i) {
        const char c = iban[(i + 4) % length];
        rest = is_digit(c) ? (rest * 10 + (c - '0')) % 97 : (rest * 100 + (c - 'A' + 10)) % 97;
    }
    return rest == 1;
}

/// `text` begins behind no letter or digit.
Candidate iban_at(std::string_view text, bool is_whole) {
    std::array<char, kIbanMax> iban{};
    int length = kIbanMax;
    int count = 0;
    std::size_t at = 0;
    while (count < length && at < text.size()) {
        const char c = text[at++];
        if (c == ' ' && count > 0 && count % 4 == 0 && text[at - 2] != ' ') continue;
        const bool fits =
            count < 2 ? is_alnum(c) && !is_digit(c) : (count < 4 ? is_digit(c) : is_alnum(c));
        if (!fits) return {};
        iban[count++] = upper(c);
        if (count == 2) length = length_for(iban[0], iban[1]);
        if (length == 0) return {};
    }
    if (at == text.size() && !is_whole) return {0, true};
    const bool is_cut = count < length || (at < text.size() && is_alnum(text[at]));
    if (is_cut || !passes_mod_97(iban, length)) return {};
    return {at, false};
}

template <class IsPart>
std::size_t run_size(std::string_view text, IsPart is_part) {
    std::size_t size = 0;
    while (size < text.size() && is_part(text[size])) ++size;
    return size;
}

/// `text` begins behind an @.
Candidate domain_at(std::string_view text, bool is_whole) {
    Candidate domain;
    std::size_t at = 0;
    for (int labels = 0; labels < kLabelsMax; ++labels) {
        const std::size_t size =
            run_size(text.substr(at), [](char c) { return is_alnum(c) || c == '-'; });
        if (size > kLabelMax) return domain;
        at += size;
        domain.may_grow = at == text.size() && !is_whole;
        if (at == text.size() || size == 0 || text[at] != '.') return domain;
        ++at;
        const std::size_t top = run_size(text.substr(at), is_letter);
        if (top >= kTopMin) domain.end = at + std::min(top, kTopMax);
        // More letters than a label has are none, and change the end no more.
        domain.may_grow = top <= kLabelMax && at + top == text.size() && !is_whole;
        if (domain.may_grow) return domain;
    }
    return domain;
}

template <class IsStart, class At>
bool find_next(const MatchCopy& copy, bool is_whole, std::uint64_t& from, PatternMatch& found,
               IsStart is_start, At at) {
    const std::string_view text = copy.text();
    for (std::size_t i = from - copy.begin(); i < text.size(); ++i) {
        if (!is_start(i > 0 ? text[i - 1] : ' ', text[i])) continue;
        const Candidate candidate = at(text.substr(i), is_whole);
        if (candidate.may_grow) {
            from = copy.begin() + i;
            return false;
        }
        if (candidate.end == 0) continue;
        found = {copy.begin() + i, copy.begin() + i + candidate.end};
        from = found.end;
        return true;
    }
    from = copy.end();
    return false;
}

}  // namespace

bool find_next_card(const MatchCopy& copy, bool is_whole, std::uint64_t& from,
                    PatternMatch& found) {
    constexpr auto is_start = [](char before, char c) { return is_digit(c) && !is_digit(before); };
    return find_next(copy, is_whole, from, found, is_start, card_at);
}

bool find_next_iban(const MatchCopy& copy, bool is_whole, std::uint64_t& from,
                    PatternMatch& found) {
    constexpr auto is_start = [](char before, char c) {
        return is_alnum(c) && !is_digit(c) && !is_alnum(before);
    };
    return find_next(copy, is_whole, from, found, is_start, iban_at);
}

bool find_next_email(const MatchCopy& copy, bool is_whole, std::uint64_t& from,
                     PatternMatch& found) {
    const std::string_view text = copy.text();
    std::size_t begin = from - copy.begin();  // of the characters that may stand before an @
    for (std::size_t i = begin; i < text.size(); ++i) {
        if (kIsLocal[static_cast<unsigned char>(text[i])]) continue;
        if (i > begin && text[i] == '@') {
            const std::size_t local = i - std::min(i - begin, kLocalMax);
            const Candidate domain = domain_at(text.substr(i + 1), is_whole);
            if (domain.may_grow) {
                from = copy.begin() + local;
                return false;
            }
            if (domain.end > 0) {
                found = {copy.begin() + local, copy.begin() + i + 1 + domain.end};
                from = found.end;
                return true;
            }
        }
        begin = i + 1;
    }
    const std::size_t held = is_whole ? 0 : std::min(text.size() - begin, kLocalMax);
    from = copy.end() - held;
    return false;
}

}  // namespace quire::review
