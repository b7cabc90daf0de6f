#include "services/analytics/log_batch.hpp"

namespace quire::analytics {

Result<RequestRow*> LogBatch::request(const Owner& owner, const std::string& id) {
    RequestKey key(owner.org_id, owner.project_id, id);
    const auto known = requests_.find(key);
    if (known != requests_.end()) return &known->second;
    QUIRE_TRY(auto found, store_.find(owner, id));
    RequestRow row = found ? *std::move(found) : RequestRow();
    row.request.set_id(id);
    return &requests_.emplace(std::move(key), std::move(row)).first->second;
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
    for (const auto& [key, row] : requests_) {
        const auto put = store_.put({std::get<0>(key), std::get<1>(key)}, row);
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

}  // namespace quire::analytics
