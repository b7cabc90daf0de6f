#include "services/review/hold_back.hpp"

#include <algorithm>

namespace quire::review {
namespace {

constexpr std::uint64_t kForgottenMin = 4096;

}  // namespace

HoldBack::HoldBack(const RuleSet& rules) : rules_(rules), tally_(rules.rules().size(), 0) {
    for (const CaseMode mode : {CaseMode::kFold, CaseMode::kExact}) {
        if (rules.scanners(mode).is_empty()) continue;
        (mode == CaseMode::kFold ? fold_ : exact_).emplace(rules.scanners(mode), mode);
    }
}

const Rule* HoldBack::blocked_by() const {
    return blocking_rule_ < 0 ? nullptr : &rules_.rules()[blocking_rule_];
}

bool HoldBack::push(std::string_view raw, std::string& out) {
    if (blocking_rule_ >= 0) return true;
    taken_ += raw.size();
    if (!rules_.can_change_text()) {
        out += raw;
    } else {
        raw_ += raw;
    }
    if (!scan(raw, false)) return false;
    std::uint64_t known_before = taken_;
    if (fold_) known_before = std::min(known_before, fold_->known_before());
    if (exact_) known_before = std::min(known_before, exact_->known_before());
    resolve(known_before, out);
    return true;
}

bool HoldBack::finish(std::string& out) {
    if (blocking_rule_ >= 0) return true;
    if (!scan("", true)) return false;
    resolve(taken_, out);
    return true;
}

bool HoldBack::scan(std::string_view raw, bool is_whole) {
    const std::size_t sorted = findings_.size();
    for (auto* copy : {&fold_, &exact_}) {
        if (!*copy) continue;
        const bool is_read = is_whole ? (*copy)->finish(findings_) : (*copy)->push(raw, findings_);
        if (!is_read) return false;
    }
    if (findings_.size() == sorted) return true;
    std::sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
        return a.raw.begin != b.raw.begin ? a.raw.begin < b.raw.begin : a.rule < b.rule;
    });
    return true;
}

/// All findings that begin before `known_before` are there; more may come from there on.
void HoldBack::resolve(std::uint64_t known_before, std::string& out) {
    std::uint64_t limit = known_before;
    for (const Finding& finding : findings_) {
        // Of two blocks at one place the first of the list counts, so both must be known.
        if (finding.raw.begin >= known_before) break;
        if (rules_.rules()[finding.rule].action != Action::kBlock) continue;
        limit = finding.raw.begin;
        blocking_rule_ = finding.rule;
        ++tally_[finding.rule];
        break;
    }
    auto at = findings_.begin();
    for (; at != findings_.end() && at->raw.begin < limit; ++at) apply(*at, out);
    findings_.erase(findings_.begin(), at);
    deliver_before(limit, out);
}

void HoldBack::apply(const Finding& finding, std::string& out) {
    const Rule& rule = rules_.rules()[finding.rule];
    ++tally_[finding.rule];
    if (rule.action != Action::kRedact) return;
    if (finding.raw.begin >= delivered_) {
        deliver_before(finding.raw.begin, out);
        out += rule.replacement;
    }
    delivered_ = std::max(delivered_, finding.raw.end);
}

void HoldBack::deliver_before(std::uint64_t limit, std::string& out) {
    if (!rules_.can_change_text()) return;
    if (limit > delivered_) {
        out.append(raw_, delivered_ - raw_begin_, limit - delivered_);
        delivered_ = limit;
    }
    if (delivered_ - raw_begin_ < kForgottenMin) return;
    const std::uint64_t gone = std::min<std::uint64_t>(delivered_ - raw_begin_, raw_.size());
    raw_.erase(0, gone);
    raw_begin_ += gone;
}

}  // namespace quire::review
