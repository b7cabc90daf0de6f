#include "providers/model_catalog.hpp"

#include "runtime/json.hpp"

#include <gtest/gtest.h>

namespace quire::providers {
namespace {

ProviderConfig provider_of(std::string kind, std::string base_url = "") {
    ProviderConfig provider;
    provider.kind = std::move(kind);
    provider.base_url = std::move(base_url);
    return provider;
}

ModelConfig model_of(std::string provider) {
    ModelConfig model;
    model.provider = std::move(provider);
    model.price = {1, 2};
    return model;
}

/// A catalog that is right: one provider of each kind, a model on each.
ModelCatalog catalog() {
    ModelCatalog catalog;
    catalog.providers.emplace_back("local", provider_of("openai", "http://127.0.0.1:9000/v1"));
    catalog.providers.emplace_back("pretend", provider_of("sim"));
    catalog.models.emplace_back("writer", model_of("local"));
    catalog.models.emplace_back("toy", model_of("pretend"));
    return catalog;
}

TEST(CompleteCatalog, OffersTheSimulatorWhereNothingIsConfigured) {
    ModelCatalog catalog;

    ASSERT_TRUE(complete_catalog(catalog));

    ASSERT_EQ(catalog.models.size(), 1u);
    EXPECT_EQ(catalog.models[0].first, "sim");
    EXPECT_EQ(catalog.models[0].second.price.input, 150'000);
    EXPECT_EQ(catalog.models[0].second.price.output, 600'000);
    ASSERT_NE(catalog.find_provider(catalog.models[0].second.provider), nullptr);
    EXPECT_EQ(catalog.find_provider("sim")->kind, "sim");
}

TEST(CompleteCatalog, AddsNothingToWhatIsConfigured) {
    ModelCatalog full = catalog();

    ASSERT_TRUE(complete_catalog(full));

    EXPECT_EQ(full.models.size(), 2u);
    EXPECT_EQ(full.providers.size(), 2u);
}

TEST(CompleteCatalog, AModelIsKnownUpstreamByItsOwnNameUnlessSaid) {
    ModelCatalog full = catalog();
    full.models[1].second.upstream_model = "vendor/toy";

    ASSERT_TRUE(complete_catalog(full));

    EXPECT_EQ(full.find_model("writer")->upstream_model, "writer");
    EXPECT_EQ(full.find_model("toy")->upstream_model, "vendor/toy");
}

TEST(CompleteCatalog, APriceOfZeroIsAPrice) {
    ModelCatalog full = catalog();
    full.models[0].second.price = {0, 0};

    EXPECT_TRUE(complete_catalog(full));
}

TEST(CompleteCatalog, NamesWhatIsMissingOrWrong) {
    struct Case {
        std::function<void(ModelCatalog&)> spoil;
        ErrorCode code;
        std::vector<std::string_view> says;
    };
    using enum ErrorCode;
    for (const Case& each : std::vector<Case>{
             {[](auto& c) { c.models[0].second.price = {}; },
              kMissingRequiredParameter,
              {"models.writer", "price: {input: N, output: N}"}},
             {[](auto& c) { c.models[1].second.price.output = -1; },
              kMissingRequiredParameter,
              {"models.toy", "price"}},
             {[](auto& c) { c.models[0].second.provider = "locl"; },
              kInvalidValue,
              {"models.writer", "'locl'", "local, pretend"}},
             {[](auto& c) { c.models[0].second.provider = ""; },
              kInvalidValue,
              {"models.writer", "local, pretend"}},
             {[](auto& c) { c.providers[0].second.kind = ""; },
              kMissingRequiredParameter,
              {"providers.local", "kind"}},
             {[](auto& c) { c.providers[0].second.base_url = ""; },
              kMissingRequiredParameter,
              {"providers.local", "base_url"}},
             {[](auto& c) { c.providers[0].second.base_url = "127.0.0.1:9000"; },
              kInvalidValue,
              {"providers.local.base_url"}},
             {[](auto& c) { c.providers.clear(); }, kInvalidValue, {"models.writer"}},
         }) {
        ModelCatalog spoilt = catalog();
        each.spoil(spoilt);

        const auto completed = complete_catalog(spoilt);

        ASSERT_FALSE(completed) << each.says.front();
        EXPECT_EQ(completed.error().code(), each.code) << completed.error().message();
        for (const std::string_view said : each.says) {
            EXPECT_NE(completed.error().message().find(said), std::string::npos)
                << completed.error().message();
        }
    }
}

TEST(UnknownModel, QuotesNoHalfCharacter) {
    const Error error = unknown_model(std::string(99, 'x') + "ééééé");

    EXPECT_TRUE(runtime::is_valid_utf8(error.message()));
    EXPECT_NE(error.message().find("xxx…'"), std::string::npos);
}

TEST(ModelCatalog, FindsByTheWholeName) {
    const ModelCatalog full = catalog();

    EXPECT_NE(full.find_model("writer"), nullptr);
    EXPECT_EQ(full.find_model("write"), nullptr);
    EXPECT_EQ(full.find_model(""), nullptr);
    EXPECT_EQ(full.find_provider("sim"), nullptr);
}

}  // namespace
}  // namespace quire::providers
