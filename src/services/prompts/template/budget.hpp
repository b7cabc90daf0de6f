#pragma once

#include "base/result.hpp"
#include "services/prompts/template/template_limits.hpp"

#include <cstddef>

namespace quire::prompts {

inline constexpr std::size_t kBytesPerStep = 256;

/// What one rendering may still do, all its messages together. Work on text and lists is paid by
/// size, so that a few steps over large values cost as much as many over small ones.
class Budget {
public:
    explicit Budget(const TemplateLimits& limits) : limits_(limits) {}

    const TemplateLimits& limits() const { return limits_; }
    Result<void> spend(std::size_t steps);
    /// Pays for reading or writing `bytes` of text.
    Result<void> spend_bytes(std::size_t bytes);
    /// Pays for one thing and for its text, such as a key.
    Result<void> spend_item(std::size_t bytes);
    /// Refuses a text that may not become so long, and pays for it.
    Result<void> admit_text(std::size_t bytes);

private:
    TemplateLimits limits_;
    std::size_t steps_ = 0;
};

}  // namespace quire::prompts
