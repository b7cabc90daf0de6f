#pragma once

#include "providers/model_catalog.hpp"

#include <chrono>

namespace quire::inference {

/// `limits:` as far as inference reads it, and the models.
struct InferenceConfig {
    providers::ModelCatalog catalog;
    std::chrono::milliseconds connect{5'000};
    std::chrono::milliseconds first_token{60'000};
    std::chrono::milliseconds between_tokens{60'000};
    std::chrono::milliseconds queue_wait{30'000};
};

}  // namespace quire::inference
