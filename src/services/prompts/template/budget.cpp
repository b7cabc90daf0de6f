#include "services/prompts/template/budget.hpp"

#include <fmt/format.h>

namespace quire::prompts {

Result<void> Budget::spend(std::size_t steps) {
    if (steps > limits_.steps_max - steps_) {
        return Error(
            ErrorCode::kTemplateError,
            fmt::format("rendering takes more than {} steps; loop over less", limits_.steps_max));
    }
    steps_ += steps;
    return {};
}

Result<void> Budget::spend_bytes(std::size_t bytes) { return spend(bytes / kBytesPerStep); }

Result<void> Budget::spend_item(std::size_t bytes) { return spend(1 + bytes / kBytesPerStep); }

Result<void> Budget::admit_text(std::size_t bytes) {
    if (bytes > limits_.output_bytes_max) {
        return Error(ErrorCode::kTemplateError, fmt::format("the text becomes longer than {} bytes",
                                                            limits_.output_bytes_max));
    }
    return spend_bytes(bytes);
}

}  // namespace quire::prompts
