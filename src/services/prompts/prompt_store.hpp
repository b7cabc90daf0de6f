#pragma once

#include "services/prompts/prompt_version.hpp"
#include "storage/connection.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace quire::prompts {

/// Whose prompts: they belong to a project.
struct PromptOwner {
    std::string org_id;
    std::string project_id;
};

struct PromptRow {
    std::string name;
    std::int64_t latest_version = 0;
    std::map<std::string, std::int64_t> labels;
    Timestamp created_at;  ///< of the newest version
};

/// The SQL of prompts. No statement changes or deletes a version. Inside one transaction.
class PromptStore {
public:
    PromptStore(storage::Connection& connection, const PromptOwner& owner)
        : connection_(connection), owner_(owner) {}

    Result<void> insert_version(const PromptVersion& version);
    Result<void> put_label(const std::string& name, const std::string& label, std::int64_t version,
                           Timestamp at);

    /// 0 for a prompt that there is none of.
    Result<std::int64_t> newest_version(const std::string& name);
    /// 0 where the label points at nothing.
    Result<std::int64_t> version_at(const std::string& name, const std::string& label);
    /// With the labels that point at it.
    Result<std::optional<PromptVersion>> find_version(const std::string& name,
                                                      std::int64_t version);
    Result<std::map<std::string, std::int64_t>> labels_of(const std::string& name);
    /// By name, those after `after`.
    Result<std::vector<PromptRow>> list(const std::string& after, std::int64_t limit);

private:
    Result<std::int64_t> number(std::string_view sql, const storage::Values& values);

    storage::Connection& connection_;
    const PromptOwner& owner_;
};

}  // namespace quire::prompts
