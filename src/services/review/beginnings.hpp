#pragma once

#include <re2/re2.h>

#include <cstddef>
#include <string_view>
#include <vector>

namespace quire::review {

/// Which two bytes a match can begin with. Most places of a text are ruled out by this alone,
/// without a search.
class Beginnings {
public:
    /// `live` accepts the beginnings of all matches (see live_prefix_of) at the end of a text; no
    /// match is shorter than `min_width` bytes. Until this was called, everything may begin.
    void learn(const re2::RE2& live, unsigned min_width);

    /// The first place of `text` where a match may begin; its size when there is none.
    std::size_t find(std::string_view text) const {
        if (may_begin_.empty() || text.empty()) return 0;
        std::size_t at = 0;
        for (; at + 1 < text.size(); ++at) {
            if (may_begin_[place(text[at], text[at + 1])]) return at;
        }
        return may_be_first_[static_cast<unsigned char>(text[at])] ? at : text.size();
    }

private:
    static std::size_t place(char first, char second) {
        return static_cast<unsigned char>(first) * 256U + static_cast<unsigned char>(second);
    }

    std::vector<bool> may_begin_;
    std::vector<bool> may_be_first_;
};

}  // namespace quire::review
