#include "providers/model_catalog.hpp"

#include "base/text.hpp"
#include "runtime/http/url.hpp"

namespace quire::providers {
namespace {

using namespace std::chrono_literals;

template <class T>
const T* find_named(const config::Named<T>& all, std::string_view name) {
    for (const auto& [key, value] : all) {
        if (key == name) return &value;
    }
    return nullptr;
}

template <class T>
std::vector<std::string> names_of(const config::Named<T>& all) {
    std::vector<std::string> names;
    for (const auto& [name, value] : all) names.push_back(name);
    return names;
}

Result<void> check_provider(const std::string& name, const ProviderConfig& provider) {
    const std::string where = "providers." + name;
    if (provider.kind.empty()) {
        return Error(ErrorCode::kMissingRequiredParameter, where + ": needs kind (openai or sim)");
    }
    if (provider.kind == "sim") return {};
    if (provider.base_url.empty()) {
        return Error(ErrorCode::kMissingRequiredParameter,
                     where + ": needs base_url, e.g. http://127.0.0.1:8080/v1");
    }
    const auto url = http::parse_url(provider.base_url);
    if (!url) return Error(url.error()).in(where + ".base_url");
    return {};
}

Result<void> check_model(const ModelCatalog& catalog, const std::string& name,
                         const ModelConfig& model) {
    const std::string where = "models." + name;
    if (find_named(catalog.providers, model.provider) == nullptr) {
        return Error(ErrorCode::kInvalidValue,
                     fmt::format("{}: there is no provider '{}'; the providers are: {}", where,
                                 model.provider, fmt::join(names_of(catalog.providers), ", ")));
    }
    if (model.price.input < 0 || model.price.output < 0) {
        return Error(ErrorCode::kMissingRequiredParameter,
                     where +
                         ": needs price: {input: N, output: N} in micro-credits per 1,000,000 "
                         "tokens (0 is allowed)");
    }
    return {};
}

}  // namespace

Error unknown_model(std::string_view name) {
    return Error(ErrorCode::kModelNotFound,
                 fmt::format("the model '{}' does not exist; GET /v1/models lists them",
                             excerpt(name)))
        .with_param("model");
}

const ModelConfig* ModelCatalog::find_model(std::string_view name) const {
    return find_named(models, name);
}

const ProviderConfig* ModelCatalog::find_provider(std::string_view name) const {
    return find_named(providers, name);
}

config::OptionTable<ModelConfig> model_options() {
    constexpr std::int64_t kPriceMax = 1'000'000'000'000;
    constexpr std::int64_t kTokensMax = 100'000'000;
    config::OptionTable<PriceConfig> price;
    price.integer("input", &PriceConfig::input, 0, kPriceMax,
                  "Micro-credits per 1,000,000 input tokens.");
    price.integer("output", &PriceConfig::output, 0, kPriceMax,
                  "Micro-credits per 1,000,000 output tokens.");
    config::OptionTable<ModelConfig> table;
    table.text("provider", &ModelConfig::provider, "Which entry of `providers` serves it.");
    table.text("upstream_model", &ModelConfig::upstream_model,
               "The name the provider knows it by; empty: the same name.");
    table.section("price", &ModelConfig::price, price, "What its tokens cost; required.");
    table.integer("context_tokens", &ModelConfig::context_tokens, 1, kTokensMax,
                  "How many tokens prompt and answer may have together.");
    table.integer("max_output_tokens", &ModelConfig::max_output_tokens, 1, kTokensMax,
                  "How long an answer may be when the request does not say.");
    table.integer("concurrency", &ModelConfig::concurrency, 1, 100'000,
                  "How many requests run upstream at once.");
    table.integer("queue", &ModelConfig::queue, 0, 1'000'000,
                  "How many requests may wait; one more is 429 queue_full.");
    table.text("max_tokens_field", &ModelConfig::max_tokens_field,
               "The field that carries the limit upstream; empty: the client's own, else "
               "max_tokens.");
    return table;
}

config::OptionTable<ProviderConfig> provider_options() {
    config::OptionTable<ProviderConfig> table;
    table.choice("kind", &ProviderConfig::kind, {"openai", "sim"},
                 "openai: any OpenAI-compatible server; sim: simulated text.");
    table.text("base_url", &ProviderConfig::base_url,
               "Up to and including the version, e.g. http://127.0.0.1:8080/v1.");
    table.secret("api_key", &ProviderConfig::api_key, "What is sent as the Bearer token upstream.");
    table.duration("ttft", &ProviderConfig::ttft, 0ms, 1h, "sim: time to the first token.");
    table.duration("itl", &ProviderConfig::itl, 0ms, 1min, "sim: time between tokens.");
    table.integer("tokens", &ProviderConfig::tokens, 1, 1'000'000,
                  "sim: tokens of a whole answer.");
    table.integer("seed", &ProviderConfig::seed, 0, INT64_MAX, "sim: what the text derives from.");
    return table;
}

Result<void> complete_catalog(ModelCatalog& catalog) {
    if (catalog.models.empty() && catalog.providers.empty()) {
        ProviderConfig provider;
        provider.kind = "sim";
        catalog.providers.emplace_back("sim", provider);
        ModelConfig model;
        model.provider = "sim";
        model.price = kSimPrice;
        catalog.models.emplace_back("sim", model);
    }
    for (const auto& [name, provider] : catalog.providers) {
        const auto checked = check_provider(name, provider);
        if (!checked) return checked;
    }
    for (auto& [name, model] : catalog.models) {
        if (name.empty()) {
            return Error(ErrorCode::kInvalidValue, "models: a model needs a name, one has ''");
        }
        const auto checked = check_model(catalog, name, model);
        if (!checked) return checked;
        if (model.upstream_model.empty()) model.upstream_model = name;
    }
    return {};
}

}  // namespace quire::providers
