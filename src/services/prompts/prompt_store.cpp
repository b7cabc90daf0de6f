#include "services/prompts/prompt_store.hpp"

namespace quire::prompts {
namespace {

using storage::Row;

std::string messages_json(const std::vector<PromptMessage>& messages) {
    json::array out;
    for (const PromptMessage& message : messages) {
        json::object one;
        one["role"] = message.role;
        one["content"] = message.content;
        out.push_back(std::move(one));
    }
    return json::serialize(out);
}

std::string words_json(const std::vector<std::string>& words) {
    json::array out;
    for (const std::string& word : words) out.emplace_back(word);
    return json::serialize(out);
}

Error not_ours() {
    return {ErrorCode::kStorageUnavailable, "the store holds what is no version of a prompt"};
}

Result<PromptVersion> version_of_row(const Row& row) {
    PromptVersion version;
    version.name = row.text(0);
    version.version = row.integer(1);
    const auto messages = runtime::parse_json(row.text(2));
    if (!messages || !messages->is_array()) return not_ours();
    for (const json::value& message : messages->get_array()) {
        if (!message.is_object()) return not_ours();
        const json::object& from = message.get_object();
        version.messages.push_back({std::string(runtime::text_member(from, "role")),
                                    std::string(runtime::text_member(from, "content"))});
    }
    version.model = row.text(3);
    version.parameters = row.text(4);
    const auto variables = runtime::parse_json(row.text(5));
    if (!variables || !variables->is_array()) return not_ours();
    for (const json::value& name : variables->get_array()) {
        if (!name.is_string()) return not_ours();
        version.variables.emplace_back(name.get_string());
    }
    version.created_at = Timestamp{row.integer(6)};
    return version;
}

}  // namespace

Result<void> PromptStore::insert_version(const PromptVersion& version) {
    const auto inserted = connection_.execute(
        "INSERT INTO prompt_versions (org_id, project_id, name, version, messages, model, "
        "parameters, variables, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        {owner_.org_id, owner_.project_id, version.name, version.version,
         messages_json(version.messages), version.model, version.parameters,
         words_json(version.variables), version.created_at.micros});
    if (!inserted) return inserted.error();
    return {};
}

Result<void> PromptStore::put_label(const std::string& name, const std::string& label,
                                    std::int64_t version, Timestamp at) {
    const auto put = connection_.execute(
        "INSERT INTO prompt_labels (org_id, project_id, name, label, version, updated_at) VALUES "
        "($1, $2, $3, $4, $5, $6) ON CONFLICT (org_id, project_id, name, label) DO UPDATE SET "
        "version = excluded.version, updated_at = excluded.updated_at",
        {owner_.org_id, owner_.project_id, name, label, version, at.micros});
    if (!put) return put.error();
    return {};
}

Result<std::int64_t> PromptStore::number(std::string_view sql, const storage::Values& values) {
    QUIRE_TRY(const auto rows, connection_.query(sql, values));
    return rows.empty() ? 0 : rows.front().integer(0);
}

Result<std::int64_t> PromptStore::newest_version(const std::string& name) {
    return number(
        "SELECT MAX(version) FROM prompt_versions WHERE org_id = $1 AND project_id = $2 AND "
        "name = $3",
        {owner_.org_id, owner_.project_id, name});
}

Result<std::int64_t> PromptStore::version_at(const std::string& name, const std::string& label) {
    return number(
        "SELECT version FROM prompt_labels WHERE org_id = $1 AND project_id = $2 AND name = $3 "
        "AND label = $4",
        {owner_.org_id, owner_.project_id, name, label});
}

Result<std::optional<PromptVersion>> PromptStore::find_version(const std::string& name,
                                                               std::int64_t version) {
    QUIRE_TRY(const auto rows,
              connection_.query(
                  "SELECT name, version, messages, model, parameters, variables, created_at FROM "
                  "prompt_versions WHERE org_id = $1 AND project_id = $2 AND name = $3 AND "
                  "version = $4",
                  {owner_.org_id, owner_.project_id, name, version}));
    if (rows.empty()) return std::optional<PromptVersion>();
    QUIRE_TRY(PromptVersion found, version_of_row(rows.front()));
    QUIRE_TRY(const auto labels, labels_of(name));
    for (const auto& [label, at] : labels) {
        if (at == version) found.labels.push_back(label);
    }
    return std::optional(std::move(found));
}

Result<std::map<std::string, std::int64_t>> PromptStore::labels_of(const std::string& name) {
    QUIRE_TRY(const auto rows,
              connection_.query("SELECT label, version FROM prompt_labels WHERE org_id = $1 AND "
                                "project_id = $2 AND name = $3",
                                {owner_.org_id, owner_.project_id, name}));
    std::map<std::string, std::int64_t> labels;
    for (const Row& row : rows) labels.emplace(row.text(0), row.integer(1));
    return labels;
}

Result<std::vector<PromptRow>> PromptStore::list(const std::string& after, std::int64_t limit) {
    // SQLite takes created_at from the row that has the greatest version.
    QUIRE_TRY(const auto rows,
              connection_.query(
                  "SELECT name, MAX(version), created_at FROM prompt_versions WHERE org_id = $1 "
                  "AND project_id = $2 AND name > $3 GROUP BY name ORDER BY name LIMIT $4",
                  {owner_.org_id, owner_.project_id, after, limit}));
    std::vector<PromptRow> prompts;
    for (const Row& row : rows) {
        QUIRE_TRY(auto labels, labels_of(row.text(0)));
        prompts.push_back(
            {row.text(0), row.integer(1), std::move(labels), Timestamp{row.integer(2)}});
    }
    return prompts;
}

}  // namespace quire::prompts
