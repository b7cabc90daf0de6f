#include "services/review/beginnings.hpp"

#include <string>

namespace quire::review {

void Beginnings::learn(const re2::RE2& live, unsigned min_width) {
    // Beyond ASCII a byte is not a character, which `live` could not judge.
    constexpr int kAsciiEnd = 0x80;
    may_be_first_.assign(256, true);
    may_begin_.assign(256 * 256, true);
    for (int first = 0; first < kAsciiEnd; ++first) {
        std::string text(1, static_cast<char>(first));
        may_be_first_[first] = re2::RE2::FullMatch(text, live);
        const bool can_end_here = may_be_first_[first] && min_width < 2;
        for (int second = 0; second < 256 && !can_end_here; ++second) {
            const auto at = place(static_cast<char>(first), static_cast<char>(second));
            text.resize(1);
            text += static_cast<char>(second);
            may_begin_[at] =
                may_be_first_[first] && (second >= kAsciiEnd || re2::RE2::FullMatch(text, live));
        }
    }
}

}  // namespace quire::review
