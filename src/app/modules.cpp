#include "app/modules.hpp"

#include "services/analytics/analytics_module.hpp"
#include "services/auth/auth_module.hpp"
#include "services/credits/credits_module.hpp"
#include "services/gateway/gateway_module.hpp"
#include "services/inference/inference_module.hpp"
#include "services/prompts/prompts_module.hpp"
#include "services/review/review_module.hpp"

#include <algorithm>

namespace quire::app {
namespace {

/// Puts `spec` behind its needs; `path` is what led here, for naming a cycle.
Result<void> place(const ModuleSpec& spec, const std::vector<ModuleSpec>& modules,
                   std::vector<const ModuleSpec*>& order, std::vector<std::string> path) {
    if (std::find(order.begin(), order.end(), &spec) != order.end()) return {};
    if (std::find(path.begin(), path.end(), spec.name) != path.end()) {
        return Error(ErrorCode::kInternalError, "module cycle at '" + spec.name + "'");
    }
    path.push_back(spec.name);
    for (const std::string& need : spec.needs) {
        const auto found = std::find_if(modules.begin(), modules.end(),
                                        [&](const ModuleSpec& m) { return m.name == need; });
        if (found == modules.end()) {
            return Error(ErrorCode::kInternalError,
                         "no such module '" + need + "', needed by '" + spec.name + "'");
        }
        const auto placed = place(*found, modules, order, path);
        if (!placed) return placed;
    }
    order.push_back(&spec);
    return {};
}

}  // namespace

const std::vector<ModuleSpec>& all_modules() {
    static const std::vector<ModuleSpec> specs{
        {"auth", {}, auth::make_auth},
        {"credits", {}, credits::make_credits},
        {"inference", {}, inference::make_inference},
        {"review", {}, review::make_review},
        {"prompts", {"credits", "inference", "review"}, prompts::make_prompts},
        {"analytics", {"credits", "prompts"}, analytics::make_analytics},
        {"gateway", {"auth", "credits", "prompts", "analytics"}, gateway::make_gateway},
    };
    return specs;
}

Result<std::vector<const ModuleSpec*>> start_order(const std::vector<ModuleSpec>& modules) {
    std::vector<const ModuleSpec*> order;
    for (const ModuleSpec& spec : modules) {
        const auto placed = place(spec, modules, order, {});
        if (!placed) return placed.error();
    }
    return order;
}

}  // namespace quire::app
