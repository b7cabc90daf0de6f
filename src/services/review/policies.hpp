#pragma once

#include "services/review/rule_set.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace quire::review {

/// A policy, compiled. Neither set is ever null; both may be empty.
struct Policy {
    std::shared_ptr<const RuleSet> input;
    std::shared_ptr<const RuleSet> output;
};

/// Every policy of the configuration. Immutable.
class Policies {
public:
    /// Errors name the path below `review`: a rule that cannot be (see RuleSet::compile), a project
    /// whose policy does not exist.
    static Result<Policies> compile(const ReviewConfig& config);

    /// The project's own policy, else `default`, else one without rules.
    const Policy& of_project(std::string_view project_id) const;

private:
    std::map<std::string, Policy, std::less<>> by_name_;
    std::map<std::string, std::string, std::less<>> name_of_project_;
};

}  // namespace quire::review
