#pragma once

#include <cstddef>

namespace quire::prompts {

/// What one template may cost. Each is a plain refusal (kTemplateError) that names the limit.
struct TemplateLimits {
    std::size_t source_bytes_max = 256 * 1024;
    std::size_t steps_max = 100'000;  ///< nodes rendered and items touched, per rendering
    std::size_t output_bytes_max = 1024 * 1024;  ///< of a template's text, and any text on the way
    std::size_t nesting_max = 32;          ///< of blocks, of expressions and of what a value holds
    std::size_t range_items_max = 10'000;  ///< of one `range()`
    std::size_t integer_digits_max = 19;   ///< of a literal
};

/// A message may quote a template or a value, and they may be of any length.
inline constexpr std::size_t kMessageCharactersMax = 500;

}  // namespace quire::prompts
