#pragma once

#include "runtime/config/option_table.hpp"

#include <algorithm>
#include <string>

namespace quire::prompts {

/// `content:`, whose texts may be kept for the page of a request.
struct ContentConfig {
    bool store = false;            ///< of projects that are not named
    config::Named<bool> projects;  ///< by id

    bool is_kept(const std::string& project_id) const {
        const auto named = std::find_if(projects.begin(), projects.end(),
                                        [&](const auto& p) { return p.first == project_id; });
        return named == projects.end() ? store : named->second;
    }
};

}  // namespace quire::prompts
