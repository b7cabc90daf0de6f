#pragma once

#include "services/review/copy_scan.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire::review {

/// How often each rule of a set did something, in the order of the set.
using Tally = std::vector<std::int64_t>;

/// A text that comes in pieces, and of which only what no rule can touch any more is let through.
/// What is delivered in all is a function of the whole text: redactions replaced, and with a block
/// exactly what stands before its first byte (a redaction that begins before it is replaced whole).
/// What is held is bounded, since every rule has a finite width. One thread at a time; `rules`
/// outlive it.
class HoldBack {
public:
    explicit HoldBack(const RuleSet& rules);

    /// Appends to `out` what may be delivered now. False when the text could not be read: nothing
    /// further must be delivered.
    [[nodiscard]] bool push(std::string_view raw, std::string& out);
    /// The text is complete: appends the rest.
    [[nodiscard]] bool finish(std::string& out);

    /// The rule that ended the text, or nullptr. Nothing is let through once it is set.
    const Rule* blocked_by() const;
    const Tally& tally() const { return tally_; }
    std::size_t held_bytes() const { return raw_.size() - (delivered_ - raw_begin_); }

private:
    bool scan(std::string_view raw, bool is_whole);
    void resolve(std::uint64_t known_before, std::string& out);
    void deliver_before(std::uint64_t limit, std::string& out);
    void apply(const Finding& finding, std::string& out);

    const RuleSet& rules_;
    std::optional<CopyScan> fold_;
    std::optional<CopyScan> exact_;
    std::vector<Finding> findings_;  ///< sorted; what begins where not everything is known yet
    Tally tally_;
    int blocking_rule_ = -1;
    std::string raw_;
    std::uint64_t raw_begin_ = 0;  ///< position of raw_'s first byte
    std::uint64_t taken_ = 0;
    std::uint64_t delivered_ = 0;  ///< let through or replaced up to here
};

}  // namespace quire::review
