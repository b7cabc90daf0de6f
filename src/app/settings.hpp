#pragma once

#include "runtime/config/option_table.hpp"
#include "services/analytics/analytics_config.hpp"
#include "services/credits/credits_config.hpp"
#include "services/gateway/gateway_config.hpp"
#include "services/inference/inference_config.hpp"
#include "services/prompts/prompts_config.hpp"
#include "services/review/review_config.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace quire::app {

struct LimitSettings {
    std::chrono::milliseconds request_deadline{600'000};
    std::chrono::milliseconds connect{5'000};
    std::chrono::milliseconds first_token{60'000};
    std::chrono::milliseconds between_tokens{60'000};
    std::chrono::milliseconds queue_wait{30'000};
    std::chrono::milliseconds keep_alive{10'000};
    std::int64_t retries = 2;
    std::int64_t body_bytes = 10 * 1024 * 1024;
    std::int64_t bodies_bytes = 256 * 1024 * 1024;
    std::int64_t connections = 20'000;
    std::chrono::milliseconds header_timeout{10'000};
    std::chrono::milliseconds idle_timeout{75'000};
    std::chrono::milliseconds body_timeout{60'000};
    std::chrono::milliseconds write_stall{30'000};
};

struct ListenSettings {
    std::string listen;
};

struct LogSettings {
    std::string level = "info";
    std::string format = "auto";
};

struct RuntimeSettings {
    std::int64_t loops = 0;  ///< 0: one per core
};

struct FirstRunSettings {
    std::int64_t credits = 1'000'000'000;
};

struct CreditsSettings {
    std::int64_t queue = 10'000;
};

struct ShutdownSettings {
    std::chrono::milliseconds drain{30'000};
};

/// Everything that can be set. Precedence: flags, environment, file, these defaults.
struct Settings {
    ListenSettings gateway{"127.0.0.1:8700"};
    ListenSettings admin{"127.0.0.1:8701"};
    config::Named<providers::ProviderConfig> providers;
    config::Named<providers::ModelConfig> models;
    FirstRunSettings first_run;
    CreditsSettings credits;
    review::ReviewConfig review;
    prompts::ContentConfig content;
    analytics::AnalyticsConfig analytics;
    LimitSettings limits;
    LogSettings log;
    RuntimeSettings runtime;
    ShutdownSettings shutdown;

    providers::ModelCatalog catalog() const { return {providers, models}; }
    gateway::GatewayConfig gateway_config() const;
    credits::CreditsConfig credits_config(providers::ModelCatalog catalog) const;
    inference::InferenceConfig inference_config(providers::ModelCatalog catalog) const;
};

/// The one table of all settings; `config print` and docs/reference/config.md come from it.
config::OptionTable<Settings> settings_table();

/// Reads `file` (none: defaults) and lays `environment` over it. kInvalidValue,
/// kUnsupportedParameter, kMissingRequiredParameter, naming the key.
Result<Settings> load_settings(const std::optional<std::string>& file,
                               const config::Environment& environment);

/// docs/reference/config.md, made from the table.
std::string settings_reference();

}  // namespace quire::app
