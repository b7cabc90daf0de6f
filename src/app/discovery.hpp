#pragma once

#include "providers/model_catalog.hpp"
#include "runtime/config/node.hpp"
#include "runtime/event_loops.hpp"

#include <string>
#include <vector>

namespace quire::app {

/// The catalog for `--use NAME` (openai, ollama, vllm, llama): the first 100 models that the
/// upstream lists, priced like sim unless `configured` prices them. kUnsupportedValue for an
/// unknown name, kMissingRequiredParameter for an unset key variable, kUpstreamError when nobody
/// answers.
Result<providers::ModelCatalog> catalog_for(const std::string& use,
                                            const providers::ModelCatalog& configured,
                                            const config::Environment& environment,
                                            runtime::EventLoops& loops);

/// Fails like catalog_for for an unknown name and an unset variable, before anything is started.
Result<void> check_use(const std::string& use, const config::Environment& environment);

/// What could be used, by its key variable or a listening local port; only named, never called.
std::vector<std::string> find_hints(const config::Environment& environment);

}  // namespace quire::app
