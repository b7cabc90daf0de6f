#pragma once

#include "runtime/wiring.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quire::app {

/// One service of the product: its name, what must be built before it, and how.
struct ModuleSpec {
    std::string name;
    std::vector<std::string> needs;
    std::function<Result<std::unique_ptr<runtime::Module>>(runtime::Wiring&)> make;
};

/// Every service in the product, and what must start before it. Read this first.
const std::vector<ModuleSpec>& all_modules();

/// Sorted so that each stands behind what it needs. kInternalError, naming it, for a cycle or an
/// unknown name.
Result<std::vector<const ModuleSpec*>> start_order(const std::vector<ModuleSpec>& modules);

}  // namespace quire::app
