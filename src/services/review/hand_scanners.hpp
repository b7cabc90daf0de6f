#pragma once

#include "services/review/match_copy.hpp"
#include "services/review/pattern_rule.hpp"

#include <cstdint>

namespace quire::review {

/// Scanners by hand, on the copy that keeps case: what an arithmetic check or a rare character in
/// the middle makes cheap. Like PatternRule::find_next: the next match at or behind `from` that no
/// further text can change, or `from` moves on as far as no match can begin any more.

/// Payment cards: whole digit groups joined by single spaces or dashes (ASCII's, U+2010 to U+2015,
/// U+2212), 13 to 19 digits in all, right by Luhn's formula; never a part of a group. At most 73
/// bytes.
bool find_next_card(const MatchCopy& copy, bool is_whole, std::uint64_t& from, PatternMatch& found);

/// IBANs of the countries in the registry, of their country's length, with single spaces between
/// groups of four or without; ISO 7064 mod 97 = 1; no letter or digit before or after. At most 42
/// bytes.
bool find_next_iban(const MatchCopy& copy, bool is_whole, std::uint64_t& from, PatternMatch& found);

/// Email addresses in ASCII: [A-Za-z0-9._%+-]{1,64}@([A-Za-z0-9-]{1,63}[.]){1,6}[A-Za-z]{2,23}. At
/// most 472 bytes.
bool find_next_email(const MatchCopy& copy, bool is_whole, std::uint64_t& from,
                     PatternMatch& found);

}  // namespace quire::review
