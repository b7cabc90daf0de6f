#include "services/analytics/log_batch.hpp"

namespace quire::analytics {

namespace {

/// What the store has of a request, and what a batch has heard since.
void merge(RequestRow& stored, RequestRow heard) {
    if (!heard.is_told && stored.is_told) {
        stored.request.mutable_usage()->Swap(heard.request.mutable_usage());
        stored.request.mutable_cost()->Swap(heard.request.mutable_cost());
        return;
    }
    v1::Request& before = stored.request;
    v1::Request& now = heard.request;
    if (!heard.is_settled) {
        if (before.has_usage()) now.mutable_usage()->Swap(before.mutable_usage());
        if (before.has_cost()) now.mutable_cost()->Swap(before.mutable_cost());
    }
    if (now.provider().empty()) now.set_provider(before.provider());
    if (now.prompt().empty()) now.set_prompt(before.prompt());
    if (now.prompt_version() == 0) now.set_prompt_version(before.prompt_version());
    stored = std::move(heard);
}

}  // namespace

RequestRow& LogBatch::request(const Owner& owner, const std::string& id) {
    RequestRow& row = requests_[RequestKey(id, owner.org_id, owner.project_id)];
    row.request.set_id(id);
    return row;
}

void LogBatch::add_usage(const Owner& owner, const UsageRow& usage) {
    UsageKey key(owner.org_id, owner.project_id, usage.day, usage.model, usage.key_id);
    UsageRow& sum = usage_[std::move(key)];
    sum.requests += usage.requests;
    sum.input_tokens += usage.input_tokens;
    sum.output_tokens += usage.output_tokens;
    sum.cost += usage.cost;
}

Result<void> LogBatch::write() {
    for (auto& [key, row] : requests_) {
        const auto put = write_request({std::get<1>(key), std::get<2>(key)}, std::move(row));
        if (!put) return put;
    }
    for (auto& [key, sum] : usage_) {
        std::tie(std::ignore, std::ignore, sum.day, sum.model, sum.key_id) = key;
        const auto added = store_.add_usage({std::get<0>(key), std::get<1>(key)}, sum);
        if (!added) return added;
    }
    requests_.clear();
    usage_.clear();
    return {};
}

/// Nearly all are new: inserting sees the others, so that no row is looked up in vain.
Result<void> LogBatch::write_request(const Owner& owner, RequestRow row) {
    QUIRE_TRY(const bool is_new, store_.insert(owner, row));
    if (is_new) return {};
    QUIRE_TRY(auto stored, store_.find(owner, row.request.id()));
    if (!stored) return {};  // the same id of another organization, which none makes
    merge(*stored, std::move(row));
    return store_.replace(owner, *stored);
}

}  // namespace quire::analytics
