#include "services/review/copy_scan.hpp"

#include <algorithm>

namespace quire::review {

CopyScan::CopyScan(const RuleSet::Scanners& scanners, CaseMode mode)
    : scanners_(scanners),
      normalizer_(mode),
      by_hand_from_(scanners.by_hand.size(), 0),
      patterns_from_(scanners.patterns.size(), 0) {}

bool CopyScan::push(std::string_view raw, std::vector<Finding>& findings) {
    if (!normalizer_.push(raw, copy_)) return false;
    scan(false, findings);
    return true;
}

bool CopyScan::finish(std::vector<Finding>& findings) {
    if (!normalizer_.finish(copy_)) return false;
    scan(true, findings);
    return true;
}

void CopyScan::scan(bool is_whole, std::vector<Finding>& findings) {
    std::uint64_t live = copy_.end();
    if (!scanners_.literals.is_empty()) live = std::min(live, scan_literals(is_whole, findings));
    live = std::min(live, scan_by_hand(is_whole, findings));
    if (!scanners_.patterns.empty()) live = std::min(live, scan_patterns(is_whole, findings));
    known_before_ =
        live == copy_.end() ? normalizer_.raw_begin_of_rest() : copy_.raw_begin_of(live);
    // One byte stays as the context of what begins at `live`.
    if (live > 0) copy_.forget_before(live - 1);
}

std::uint64_t CopyScan::scan_literals(bool is_whole, std::vector<Finding>& findings) {
    const LiteralAutomaton& literals = scanners_.literals;
    LiteralAutomaton::State state = state_;
    const std::string_view text = copy_.text().substr(literals_read_ - copy_.begin());
    for (std::size_t i = 0; i < text.size(); ++i) {
        state = literals.next(state, static_cast<unsigned char>(text[i]));
        if (!literals.has_output(state)) continue;
        const std::uint64_t end = literals_read_ + i + 1;
        literals.for_each_output(state, [&](const LiteralAutomaton::Output& output) {
            occurrences_.push_back({end - output.size, end, output.rule});
        });
    }
    state_ = state;
    literals_read_ = copy_.end();
    const std::uint64_t live = copy_.end() - (is_whole ? 0 : literals.depth(state));
    if (!occurrences_.empty()) settle_literals(live, findings);
    return live;
}

/// What begins before `live` can grow no more: per rule the leftmost, of these the longest.
void CopyScan::settle_literals(std::uint64_t live, std::vector<Finding>& findings) {
    const auto settled =
        std::partition(occurrences_.begin(), occurrences_.end(),
                       [live](const Occurrence& occurrence) { return occurrence.begin < live; });
    std::sort(occurrences_.begin(), settled, [](const Occurrence& a, const Occurrence& b) {
        return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
    });
    for (auto at = occurrences_.begin(); at != settled; ++at) {
        const auto rule = static_cast<std::size_t>(at->rule);
        if (literal_from_.size() <= rule) literal_from_.resize(rule + 1, 0);
        if (at->begin < literal_from_[rule]) continue;
        literal_from_[rule] = at->end;
        add(at->begin, at->end, at->rule, findings);
    }
    occurrences_.erase(occurrences_.begin(), settled);
}

std::uint64_t CopyScan::scan_by_hand(bool is_whole, std::vector<Finding>& findings) {
    std::uint64_t live = copy_.end();
    for (std::size_t i = 0; i < scanners_.by_hand.size(); ++i) {
        const RuleSet::HandRule& hand = scanners_.by_hand[i];
        std::uint64_t& from = by_hand_from_[i];
        PatternMatch found;
        while (hand.find_next(copy_, is_whole, from, found)) {
            add(found.begin, found.end, hand.rule, findings);
        }
        live = std::min(live, from);
    }
    return live;
}

std::uint64_t CopyScan::scan_patterns(bool is_whole, std::vector<Finding>& findings) {
    if (!skip_patterns(is_whole)) {
        for (std::size_t i = 0; i < scanners_.patterns.size(); ++i) {
            const PatternRule& pattern = *scanners_.patterns[i];
            PatternMatch found;
            while (pattern.find_next(copy_, is_whole, patterns_from_[i], found)) {
                add(found.begin, found.end, pattern.rule(), findings);
            }
        }
    }
    return *std::min_element(patterns_from_.begin(), patterns_from_.end());
}

/// The usual case, that no pattern matches at all, in one search for all of them.
bool CopyScan::skip_patterns(bool is_whole) {
    if (!scanners_.any_pattern) return false;
    std::uint64_t from = *std::min_element(patterns_from_.begin(), patterns_from_.end());
    from += scanners_.beginnings.find(copy_.text().substr(from - copy_.begin()));
    if (from == copy_.end()) {
        std::fill(patterns_from_.begin(), patterns_from_.end(), from);
        return true;
    }
    const re2::StringPiece text(copy_.text().data(), copy_.text().size());
    if (scanners_.any_pattern->Match(text, from - copy_.begin(), text.size(), re2::RE2::UNANCHORED,
                                     nullptr, 0)) {
        return false;
    }
    std::uint64_t live = copy_.end();
    if (!is_whole) {
        live = find_live_begin(*scanners_.any_live, copy_, from);
        const std::uint64_t width = std::min<std::uint64_t>(copy_.end(), scanners_.width_max);
        live = std::min(live, copy_.end() - width);
    }
    for (std::uint64_t& at : patterns_from_) at = std::max(at, live);
    return true;
}

void CopyScan::add(std::uint64_t begin, std::uint64_t end, int rule,
                   std::vector<Finding>& findings) {
    findings.push_back({copy_.raw_of(begin, end), rule});
}

}  // namespace quire::review
