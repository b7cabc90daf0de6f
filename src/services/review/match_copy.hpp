#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quire::review {

/// Bytes [begin, end) of the delivered text, counted from its first byte.
struct RawSpan {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

/// The part of the normalised text that rules may still look at, with the way back to the bytes it
/// was made of. Positions count from the first byte of the whole copy and never change; what lies
/// before `forget_before` is gone.
class MatchCopy {
public:
    /// Bytes that stand one for one for the raw bytes from `raw_begin` on.
    void append_linear(std::string_view bytes, std::uint64_t raw_begin);
    /// Bytes that stand together for `raw`: whoever matches one of them matches all of it.
    void append_segment(std::string_view bytes, RawSpan raw);

    std::uint64_t begin() const { return base_; }
    std::uint64_t end() const { return base_ + bytes_.size(); }
    /// Everything from begin() to end().
    std::string_view text() const { return bytes_; }
    /// The byte at `position`, which lies in [begin(), end()).
    char at(std::uint64_t position) const { return bytes_[position - base_]; }

    /// The raw bytes of the copy's [begin, end), which is not empty and not forgotten.
    RawSpan raw_of(std::uint64_t begin, std::uint64_t end) const;
    /// The first raw byte of what stands at `position` < end().
    std::uint64_t raw_begin_of(std::uint64_t position) const;

    /// Nobody will ask for what lies before `position` again.
    void forget_before(std::uint64_t position);

private:
    struct Run {
        std::uint64_t copy_begin;
        std::uint64_t raw_begin;
        std::uint64_t raw_size;  ///< 0: one for one
    };
    const Run& run_at(std::uint64_t position) const;

    std::string bytes_;
    std::uint64_t base_ = 0;
    std::vector<Run> runs_;
};

}  // namespace quire::review
