#pragma once

#include "services/analytics/analytics_store.hpp"

#include <map>
#include <tuple>

namespace quire::analytics {

/// What some events change in the request log, written at once: a request whose settlement and
/// story come together is one row written once, and its usage is added up before it is. Lives
/// inside one transaction.
class LogBatch {
public:
    explicit LogBatch(storage::Connection& connection) : store_(connection) {}

    /// What this batch has of the request; it may be changed until `write`.
    RequestRow& request(const Owner& owner, const std::string& id);
    /// Adds to the row of its day, model and key.
    void add_usage(const Owner& owner, const UsageRow& usage);
    Result<void> put_dead_letter(const DeadLetter& letter) {
        return store_.put_dead_letter(letter);
    }
    Result<void> write();

private:
    /// Its id first: the rows are written in about the order of the table.
    using RequestKey = std::tuple<std::string, std::string, std::string>;
    using UsageKey = std::tuple<std::string, std::string, std::int64_t, std::string, std::string>;

    Result<void> write_request(const Owner& owner, RequestRow row);

    AnalyticsStore store_;
    std::map<RequestKey, RequestRow> requests_;
    std::map<UsageKey, UsageRow> usage_;
};

}  // namespace quire::analytics
