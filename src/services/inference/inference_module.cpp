#include "services/inference/inference_module.hpp"

#include "providers/openai/openai_provider.hpp"
#include "providers/sim/sim_provider.hpp"
#include "quire/inference/v1/inference_rpc.hpp"
#include "services/inference/inference_service.hpp"

namespace quire::inference {
namespace {

class InferenceModule final : public runtime::Module {
public:
    explicit InferenceModule(runtime::Wiring& wiring) : client_(wiring.loops()) {}

    Result<void> build(runtime::Wiring& wiring) {
        const InferenceConfig& config = wiring.settings<InferenceConfig>();
        std::map<std::string, std::shared_ptr<providers::Provider>> by_name;
        for (const auto& [name, provider] : config.catalog.providers) {
            QUIRE_TRY(by_name[name], make_provider(provider));
        }
        std::vector<ServedModel> models;
        for (const auto& [name, model] : config.catalog.models) {
            models.push_back({name, model, by_name.at(model.provider),
                              std::make_unique<ModelQueue>(name, model.concurrency, model.queue,
                                                           wiring.clock())});
        }
        service_ = std::make_shared<InferenceService>(config, std::move(models), wiring.clock(),
                                                      wiring.rng());
        wiring.provide<Inference>(service_, inference_methods(*service_));
        return {};
    }

    void stop() override {
        for (const auto& provider : openai_) provider->stop();
    }

private:
    Result<std::shared_ptr<providers::Provider>> make_provider(
        const providers::ProviderConfig& config) {
        if (config.kind == "sim") {
            return std::shared_ptr<providers::Provider>(
                std::make_shared<providers::SimProvider>(config));
        }
        QUIRE_TRY(http::Url url, http::parse_url(config.base_url));
        auto provider = std::make_shared<providers::OpenAiProvider>(client_, std::move(url),
                                                                    config.api_key.value);
        openai_.push_back(provider);
        return std::shared_ptr<providers::Provider>(std::move(provider));
    }

    http::Client client_;
    std::vector<std::shared_ptr<providers::OpenAiProvider>> openai_;
    std::shared_ptr<InferenceService> service_;
};

}  // namespace

Result<std::unique_ptr<runtime::Module>> make_inference(runtime::Wiring& wiring) {
    auto module = std::make_unique<InferenceModule>(wiring);
    const auto built = module->build(wiring);
    if (!built) return built.error();
    return std::unique_ptr<runtime::Module>(std::move(module));
}

}  // namespace quire::inference
