#include "services/review/policies.hpp"

#include "runtime/config/suggestion.hpp"

#include <fmt/format.h>

namespace quire::review {
namespace {

constexpr std::string_view kDefault = "default";

Result<Policy> compile_policy(const PolicyConfig& config) {
    auto input = RuleSet::compile(config.input);
    if (!input) return Error(input.error()).in("input");
    auto output = RuleSet::compile(config.output);
    if (!output) return Error(output.error()).in("output");
    return Policy{*std::move(input), *std::move(output)};
}

}  // namespace

Result<Policies> Policies::compile(const ReviewConfig& config) {
    Policies made;
    QUIRE_TRY(made.by_name_[std::string(kDefault)], compile_policy(PolicyConfig()));
    std::vector<std::string> names;
    for (const auto& [name, policy] : config.policies) {
        auto compiled = compile_policy(policy);
        if (!compiled) return Error(compiled.error()).in(name);
        made.by_name_[name] = *std::move(compiled);
        names.push_back(name);
    }
    for (const auto& [project, name] : config.projects) {
        if (!made.by_name_.contains(name)) {
            const std::string hint = names.empty() ? "no policy is declared"
                                                   : fmt::format("did you mean '{}'?",
                                                                 config::closest_name(name, names));
            return Error(
                ErrorCode::kInvalidValue,
                fmt::format("projects: {}: there is no policy '{}'; {}", project, name, hint));
        }
        made.name_of_project_[project] = name;
    }
    return made;
}

const Policy& Policies::of_project(std::string_view project_id) const {
    const auto own = name_of_project_.find(project_id);
    return by_name_.find(own == name_of_project_.end() ? kDefault : own->second)->second;
}

}  // namespace quire::review
