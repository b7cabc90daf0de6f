#pragma once

#include "runtime/config/option_table.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace quire::providers {

/// `price:` of a model, in micro-credits per 1,000,000 tokens; -1 = not given.
struct PriceConfig {
    std::int64_t input = -1;
    std::int64_t output = -1;
};

/// One entry of `models:`.
struct ModelConfig {
    std::string provider;
    std::string upstream_model;  ///< "" = the model's own name
    PriceConfig price;
    std::int64_t context_tokens = 131'072;
    std::int64_t max_output_tokens = 4'096;
    std::int64_t concurrency = 64;
    std::int64_t queue = 1'024;
    std::string max_tokens_field;
};

/// One entry of `providers:`.
struct ProviderConfig {
    std::string kind;
    std::string base_url;
    config::SecretSetting api_key;
    // kind sim:
    std::chrono::milliseconds ttft{20};
    std::chrono::milliseconds itl{4};
    std::int64_t tokens = 120;
    std::int64_t seed = 1;
};

/// What credits and inference are handed: every model there is, in the file's order.
struct ModelCatalog {
    config::Named<ProviderConfig> providers;
    config::Named<ModelConfig> models;

    const ModelConfig* find_model(std::string_view name) const;
    const ProviderConfig* find_provider(std::string_view name) const;
};

inline constexpr PriceConfig kSimPrice{150'000, 600'000};

config::OptionTable<ModelConfig> model_options();
config::OptionTable<ProviderConfig> provider_options();

/// kModelNotFound, for a name that came from outside and may be of any length.
Error unknown_model(std::string_view name);

/// Fills in the model `sim` where nothing is configured, and checks what a table cannot: providers
/// exist, base URLs parse, every model has a price. kInvalidValue or kMissingRequiredParameter.
Result<void> complete_catalog(ModelCatalog& catalog);

}  // namespace quire::providers
