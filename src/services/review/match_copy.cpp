#include "services/review/match_copy.hpp"

#include <algorithm>

namespace quire::review {
namespace {

/// Moving what is left to the front costs as much as it is long; so it is done seldom.
constexpr std::uint64_t kForgottenMin = 4096;

}  // namespace

void MatchCopy::append_linear(std::string_view bytes, std::uint64_t raw_begin) {
    if (bytes.empty()) return;
    const bool goes_on = !runs_.empty() && runs_.back().raw_size == 0 &&
                         runs_.back().raw_begin + (end() - runs_.back().copy_begin) == raw_begin;
    if (!goes_on) runs_.push_back({end(), raw_begin, 0});
    bytes_ += bytes;
}

void MatchCopy::append_segment(std::string_view bytes, RawSpan raw) {
    if (bytes.empty()) return;
    runs_.push_back({end(), raw.begin, raw.end - raw.begin});
    bytes_ += bytes;
}

const MatchCopy::Run& MatchCopy::run_at(std::uint64_t position) const {
    const auto after =
        std::upper_bound(runs_.begin(), runs_.end(), position,
                         [](std::uint64_t at, const Run& run) { return at < run.copy_begin; });
    return *std::prev(after);
}

RawSpan MatchCopy::raw_of(std::uint64_t begin, std::uint64_t end) const {
    const Run& last = run_at(end - 1);
    const std::uint64_t raw_end = last.raw_size == 0 ? last.raw_begin + (end - last.copy_begin)
                                                     : last.raw_begin + last.raw_size;
    return {raw_begin_of(begin), raw_end};
}

std::uint64_t MatchCopy::raw_begin_of(std::uint64_t position) const {
    const Run& run = run_at(position);
    return run.raw_size == 0 ? run.raw_begin + (position - run.copy_begin) : run.raw_begin;
}

void MatchCopy::forget_before(std::uint64_t position) {
    if (position < base_ + kForgottenMin) return;
    bytes_.erase(0, position - base_);
    base_ = position;
    const auto first =
        std::upper_bound(runs_.begin(), runs_.end(), position,
                         [](std::uint64_t at, const Run& run) { return at < run.copy_begin; });
    if (first != runs_.begin()) runs_.erase(runs_.begin(), std::prev(first));
}

}  // namespace quire::review
