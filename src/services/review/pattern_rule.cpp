#include "services/review/pattern_rule.hpp"

#include "services/review/live_prefix.hpp"
#include "services/review/lost_character.hpp"

#include <fmt/format.h>
#include <hs/hs.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace quire::review {
namespace {

using re2::RE2;
using re2::StringPiece;

constexpr std::int64_t kRegexMemoryMax = 16 << 20;

Error refused(std::string_view pattern, std::string_view why) {
    return {ErrorCode::kInvalidValue, fmt::format("'{}' {}", pattern, why)};
}

struct Widths {
    unsigned min = 0;
    unsigned max = 0;
};

Result<Widths> widths_of(const std::string& pattern, unsigned flags) {
    hs_expr_info_t* info = nullptr;
    hs_compile_error_t* error = nullptr;
    if (hs_expression_info(pattern.c_str(), flags, &info, &error) != HS_SUCCESS) {
        const std::string why = error != nullptr ? error->message : "it cannot be read";
        hs_free_compile_error(error);
        return refused(pattern, "has no known width: " + why);
    }
    const Widths widths{info->min_width, info->max_width};
    std::free(info);
    return widths;
}

/// How long a match can be, as the contract of `regex` measures it.
Result<Widths> checked_widths(const std::string& pattern) {
    QUIRE_TRY(const Widths widths, widths_of(pattern, HS_FLAG_UTF8));
    if (widths.min == 0) {
        return refused(pattern, "can match the empty text; it must need at least one character");
    }
    if (widths.max == std::numeric_limits<unsigned>::max()) {
        return refused(pattern, "has no longest match; write {1,64} instead of * or +");
    }
    if (widths.max > PatternRule::kWidthMax) {
        return refused(pattern, fmt::format("can match {} bytes; at most {} are possible",
                                            widths.max, PatternRule::kWidthMax));
    }
    return widths;
}

/// A rule that never matches and does not say so is worse than none.
Result<void> check_characters(const std::string& pattern, CaseMode mode) {
    const auto lost = lost_character_of(pattern, mode);
    if (!lost) return {};
    const std::string instead = lost->form.empty()
                                    ? "leave it out"
                                    : fmt::format("write '{}' instead", RE2::QuoteMeta(lost->form));
    return refused(pattern,
                   fmt::format("has '{}' (U+{:04X}), which the copy that rules look at never has; "
                               "{}",
                               lost->text, static_cast<std::uint32_t>(lost->character), instead));
}

}  // namespace

std::unique_ptr<RE2> compile_regex(const std::string& pattern, CaseMode mode) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_longest_match(true);
    options.set_case_sensitive(mode == CaseMode::kExact);
    options.set_max_mem(kRegexMemoryMax);
    return std::make_unique<RE2>(pattern, options);
}

std::uint64_t find_live_begin(const RE2& live, const MatchCopy& copy, std::uint64_t from) {
    const StringPiece text(copy.text().data(), copy.text().size());
    StringPiece tail;
    if (!live.Match(text, from - copy.begin(), text.size(), RE2::UNANCHORED, &tail, 1)) {
        return copy.end();
    }
    return copy.end() - tail.size();
}

Result<std::shared_ptr<const PatternRule>> PatternRule::compile(const std::string& pattern,
                                                                CaseMode mode, int rule,
                                                                Check check) {
    auto made = std::make_shared<PatternRule>();
    made->regex_ = compile_regex(pattern, mode);
    if (!made->regex_->ok()) {
        return refused(pattern, "is no RE2 syntax: " + made->regex_->error());
    }
    const auto characters = check_characters(pattern, mode);
    if (!characters) return characters.error();
    QUIRE_TRY(Widths widths, checked_widths(pattern));
    if (mode == CaseMode::kFold) {
        // A letter and its folded form may differ in length; the copy holds the folded one.
        QUIRE_TRY(const Widths folded, widths_of(pattern, HS_FLAG_UTF8 | HS_FLAG_CASELESS));
        widths.max = std::max(widths.max, folded.max);
        widths.min = std::min(widths.min, folded.min);
    }
    made->pattern_ = pattern;
    made->width_ = widths.max;
    made->min_width_ = widths.min;
    made->rule_ = rule;
    made->check_ = check;
    if (auto live = live_prefix_of(pattern)) {
        auto regex = compile_regex("(?:" + *live + ")\\z", mode);
        if (regex->ok()) {
            made->live_pattern_ = *std::move(live);
            made->live_regex_ = std::move(regex);
        }
    }
    return std::shared_ptr<const PatternRule>(std::move(made));
}

std::uint64_t PatternRule::live_begin(const MatchCopy& copy, std::uint64_t from) const {
    if (live_regex_) return find_live_begin(*live_regex_, copy, from);
    return std::max(from, copy.end() - std::min<std::uint64_t>(copy.end(), width_));
}

bool PatternRule::find_next(const MatchCopy& copy, bool is_whole, std::uint64_t& from,
                            PatternMatch& found) const {
    const StringPiece text(copy.text().data(), copy.text().size());
    while (from < copy.end()) {
        StringPiece match;
        const bool is_found =
            regex_->Match(text, from - copy.begin(), text.size(), RE2::UNANCHORED, &match, 1);
        const std::uint64_t live = is_whole ? copy.end() : live_begin(copy, from);
        const std::uint64_t begin =
            is_found ? copy.begin() + (match.data() - text.data()) : copy.end();
        if (begin >= live) {
            from = std::max(from, live);
            return false;
        }
        if (!check_ || check_({match.data(), match.size()})) {
            found = {begin, begin + match.size()};
            from = found.end;
            return true;
        }
        from = begin + 1;
    }
    return false;
}

}  // namespace quire::review
