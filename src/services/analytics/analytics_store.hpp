#pragma once

#include "base/clock.hpp"
#include "quire/analytics/v1/analytics.pb.h"
#include "storage/connection.hpp"

#include <optional>
#include <string>
#include <vector>

namespace quire::analytics {

struct Owner {
    std::string org_id;
    std::string project_id;
};

/// A request as far as events have told of it.
struct RequestRow {
    v1::Request request;
    bool is_told = false;     ///< its story has come, not only its settlement
    bool is_settled = false;  ///< its settlement is among what a batch has heard
};

/// What a page of the log is made of; "" does not filter.
struct RequestFilter {
    std::string after;
    std::string model;
    std::string status;
    std::string key_id;
    std::int64_t limit = 0;
};

struct UsageRow {
    std::int64_t day = 0;  ///< since 1970, UTC
    std::string model;
    std::string key_id;
    std::int64_t requests = 0;
    std::int64_t input_tokens = 0;
    std::int64_t output_tokens = 0;
    std::int64_t cost = 0;
};

struct DeadLetter {
    std::string source;
    std::int64_t sequence = 0;
    std::string event_id;
    std::string type;
    std::string data;
    std::string why;
    Timestamp received_at;
};

/// The SQL of analytics. Runs inside the transaction of its connection.
class AnalyticsStore {
public:
    explicit AnalyticsStore(storage::Connection& connection) : connection_(connection) {}

    Result<std::optional<RequestRow>> find(const Owner& owner, const std::string& id);
    /// False, and nothing changed, where the request has a row. The row is as before afterwards.
    Result<bool> insert(const Owner& owner, RequestRow& row);
    Result<void> replace(const Owner& owner, RequestRow& row);
    /// Newest first, without steps, cost lines and content.
    Result<std::vector<v1::Request>> list(const Owner& owner, const RequestFilter& filter);

    Result<void> add_usage(const Owner& owner, const UsageRow& usage);
    Result<std::vector<UsageRow>> usage_of(const Owner& owner);

    Result<void> put_dead_letter(const DeadLetter& letter);

    /// Deletes at most `limit` requests that began before `until`, and as many dead letters. Gives
    /// how many rows have gone.
    Result<std::int64_t> prune(Timestamp until, std::int64_t limit);

private:
    storage::Connection& connection_;
};

}  // namespace quire::analytics
