#pragma once

#include <chrono>

namespace quire::analytics {

/// The settings under `analytics:`.
struct AnalyticsConfig {
    std::chrono::milliseconds retention{std::chrono::hours(30 * 24)};
};

}  // namespace quire::analytics
