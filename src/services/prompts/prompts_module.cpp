#include "services/prompts/prompts_module.hpp"

#include "quire/prompts/v1/prompts_rpc.hpp"
#include "services/prompts/prompts_service.hpp"

namespace quire::prompts {

Result<std::unique_ptr<runtime::Module>> make_prompts(runtime::Wiring& wiring) {
    GenerationPorts ports;
    QUIRE_TRY(ports.inference, wiring.need<inference::Inference>("inference"));
    auto service = std::make_shared<PromptsService>(std::move(ports));
    wiring.provide<Prompts>(service, prompts_methods(*service));
    return std::make_unique<runtime::Module>();
}

}  // namespace quire::prompts
