#pragma once

#include "services/review/rule_set.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace quire::review {

/// A place where a rule matches, in bytes of the delivered text.
struct Finding {
    RawSpan raw;
    int rule = 0;
};

/// One text on its way through the scanners of one copy. Each rule's findings are the longest at
/// each place, from left to right over the whole text, whatever the pieces were.
class CopyScan {
public:
    CopyScan(const RuleSet::Scanners& scanners, CaseMode mode);

    /// Appends what is certain by now. False when the text could not be read.
    [[nodiscard]] bool push(std::string_view raw, std::vector<Finding>& findings);
    [[nodiscard]] bool finish(std::vector<Finding>& findings);
    /// Every finding that begins before this raw byte has been told.
    std::uint64_t known_before() const { return known_before_; }

private:
    struct Occurrence {
        std::uint64_t begin;
        std::uint64_t end;
        int rule;
    };

    void scan(bool is_whole, std::vector<Finding>& findings);
    std::uint64_t scan_literals(bool is_whole, std::vector<Finding>& findings);
    void settle_literals(std::uint64_t live, std::vector<Finding>& findings);
    std::uint64_t scan_by_hand(bool is_whole, std::vector<Finding>& findings);
    std::uint64_t scan_patterns(bool is_whole, std::vector<Finding>& findings);
    bool skip_patterns(bool is_whole);
    void add(std::uint64_t begin, std::uint64_t end, int rule, std::vector<Finding>& findings);

    const RuleSet::Scanners& scanners_;
    Normalizer normalizer_;
    MatchCopy copy_;
    std::uint64_t known_before_ = 0;

    LiteralAutomaton::State state_ = LiteralAutomaton::kStart;
    std::uint64_t literals_read_ = 0;
    std::vector<Occurrence> occurrences_;      ///< that may still lose to a longer one
    std::vector<std::uint64_t> literal_from_;  ///< by rule: the end of its last match
    std::vector<std::uint64_t> by_hand_from_;
    std::vector<std::uint64_t> patterns_from_;
};

}  // namespace quire::review
