#pragma once

#include "base/result.hpp"
#include "services/review/match_copy.hpp"
#include "services/review/normalizer.hpp"

#include <re2/re2.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace quire::review {

/// Where a search for a pattern stands: no match begins before `from` any more, but those found.
struct PatternMatch {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

/// A regular expression of bounded width, searched from left to right for the longest match at
/// each place. Immutable; safe from several threads.
class PatternRule {
public:
    static constexpr unsigned kWidthMax = 512;
    /// Says no to a candidate that only looks right, such as a key with a wrong checksum.
    using Check = bool (*)(std::string_view match);

    /// kInvalidValue: no RE2 syntax, can match nothing or the empty text, has outside a class a
    /// character that the match copy never has, no bound, or wider than kWidthMax bytes.
    static Result<std::shared_ptr<const PatternRule>> compile(const std::string& pattern,
                                                              CaseMode mode, int rule,
                                                              Check check = nullptr);

    int rule() const { return rule_; }
    const std::string& pattern() const { return pattern_; }
    /// "" when it is not known.
    const std::string& live_pattern() const { return live_pattern_; }
    unsigned width() const { return width_; }
    unsigned min_width() const { return min_width_; }

    /// Finds the next match at or behind `from` that no further text can change, and moves `from`
    /// behind it; else moves `from` as far as no match can begin any more. `is_whole`: the copy is
    /// complete.
    bool find_next(const MatchCopy& copy, bool is_whole, std::uint64_t& from,
                   PatternMatch& found) const;

private:
    std::uint64_t live_begin(const MatchCopy& copy, std::uint64_t from) const;

    std::string pattern_;
    std::string live_pattern_;
    std::unique_ptr<re2::RE2> regex_;
    std::unique_ptr<re2::RE2> live_regex_;
    unsigned width_ = 0;
    unsigned min_width_ = 0;
    int rule_ = 0;
    Check check_ = nullptr;
};

/// Compiles for the match copy of `mode`; never logs.
std::unique_ptr<re2::RE2> compile_regex(const std::string& pattern, CaseMode mode);
/// Where the earliest beginning of a match stands that may still grow, by a `\z` pattern of
/// live_prefix_of; the end of the copy when there is none.
std::uint64_t find_live_begin(const re2::RE2& live, const MatchCopy& copy, std::uint64_t from);

}  // namespace quire::review
