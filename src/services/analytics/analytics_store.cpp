#include "services/analytics/analytics_store.hpp"

#include <fmt/format.h>

#include <utility>

namespace quire::analytics {
namespace {

using storage::Row;

Result<void> parse_into(v1::Request& request, const std::string& bytes) {
    if (request.MergeFromString(bytes)) return {};
    return Error(ErrorCode::kStorageUnavailable, "the request log holds what is no request");
}

/// The two parts of a row, serialized; what only the page of one request shows is in the second.
struct Parts {
    std::string summary;
    std::string details;
};

void move_details(v1::Request& from, v1::Request& to) {
    to.mutable_steps()->Swap(from.mutable_steps());
    if (from.has_content()) to.set_allocated_content(from.release_content());
    if (from.cost().lines_size() == 0) return;
    to.mutable_cost()->mutable_lines()->Swap(from.mutable_cost()->mutable_lines());
}

/// Moved apart and back, since copying a request costs as much as writing it.
Parts split(v1::Request& request) {
    v1::Request details;
    move_details(request, details);
    Parts parts{request.SerializeAsString(), details.SerializeAsString()};
    move_details(details, request);
    return parts;
}

storage::Values values_of(const Owner& owner, const RequestRow& row, const Parts& parts) {
    const auto view = [](const std::string& text) { return std::string_view(text); };
    const v1::Request& request = row.request;
    return {view(owner.org_id),     view(owner.project_id),  view(request.id()),
            request.at_us(),        view(request.model()),   view(request.status()),
            view(request.key_id()), request.cost().amount(), std::int64_t{row.is_told},
            view(parts.summary),    view(parts.details)};
}

UsageRow usage_row(const Row& row) {
    return {row.integer(0), row.text(1),    row.text(2),   row.integer(3),
            row.integer(4), row.integer(5), row.integer(6)};
}

}  // namespace

Result<std::optional<RequestRow>> AnalyticsStore::find(const Owner& owner, const std::string& id) {
    QUIRE_TRY(const auto rows, connection_.query("SELECT summary, details, is_told FROM requests "
                                                 "WHERE project_id = $2 AND id = $3 AND "
                                                 "org_id = $1",
                                                 {owner.org_id, owner.project_id, id}));
    if (rows.empty()) return std::optional<RequestRow>();
    RequestRow row;
    row.is_told = rows.front().integer(2) != 0;
    for (const std::size_t part : {0, 1}) {
        const auto parsed = parse_into(row.request, rows.front().text(part));
        if (!parsed) return parsed.error();
    }
    return std::optional(std::move(row));
}

Result<bool> AnalyticsStore::insert(const Owner& owner, RequestRow& row) {
    const Parts parts = split(row.request);
    QUIRE_TRY(const std::int64_t changed,
              connection_.execute(
                  "INSERT INTO requests (org_id, project_id, id, at, model, status, key_id, cost, "
                  "is_told, summary, details) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
                  "$11) ON CONFLICT (project_id, id) DO NOTHING",
                  values_of(owner, row, parts)));
    return changed == 1;
}

Result<void> AnalyticsStore::replace(const Owner& owner, RequestRow& row) {
    const Parts parts = split(row.request);
    const auto replaced = connection_.execute(
        "UPDATE requests SET at = $4, model = $5, status = $6, key_id = $7, cost = $8, "
        "is_told = $9, summary = $10, details = $11 "
        "WHERE org_id = $1 AND project_id = $2 AND id = $3",
        values_of(owner, row, parts));
    if (!replaced) return replaced.error();
    return {};
}

Result<std::vector<v1::Request>> AnalyticsStore::list(const Owner& owner,
                                                      const RequestFilter& filter) {
    std::string sql = "SELECT summary FROM requests WHERE org_id = $1 AND project_id = $2";
    storage::Values values{owner.org_id, owner.project_id};
    const auto where = [&](std::string_view condition, const std::string& value) {
        if (value.empty()) return;
        values.emplace_back(value);
        sql += fmt::format(" AND {} ${}", condition, values.size());
    };
    where("id <", filter.after);
    where("model =", filter.model);
    where("status =", filter.status);
    // Rows that did not simply succeed have an index of their own.
    if (!filter.status.empty() && filter.status != "completed") sql += " AND status <> 'completed'";
    where("key_id =", filter.key_id);
    values.emplace_back(filter.limit);
    sql += fmt::format(" ORDER BY id DESC LIMIT ${}", values.size());
    QUIRE_TRY(const auto rows, connection_.query(sql, values));
    std::vector<v1::Request> requests;
    for (const Row& row : rows) {
        const auto parsed = parse_into(requests.emplace_back(), row.text(0));
        if (!parsed) return parsed.error();
    }
    return requests;
}

Result<void> AnalyticsStore::add_usage(const Owner& owner, const UsageRow& usage) {
    const auto added = connection_.execute(
        "INSERT INTO usage_days (org_id, project_id, day, model, key_id, requests, input_tokens, "
        "output_tokens, cost) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "ON CONFLICT (org_id, project_id, day, model, key_id) DO UPDATE SET "
        "requests = requests + excluded.requests, "
        "input_tokens = input_tokens + excluded.input_tokens, "
        "output_tokens = output_tokens + excluded.output_tokens, cost = cost + excluded.cost",
        {owner.org_id, owner.project_id, usage.day, usage.model, usage.key_id, usage.requests,
         usage.input_tokens, usage.output_tokens, usage.cost});
    if (!added) return added.error();
    return {};
}

Result<std::vector<UsageRow>> AnalyticsStore::usage_of(const Owner& owner) {
    QUIRE_TRY(const auto rows,
              connection_.query("SELECT day, model, key_id, requests, input_tokens, "
                                "output_tokens, cost FROM usage_days WHERE org_id = $1 AND "
                                "project_id = $2 ORDER BY day, model, key_id",
                                {owner.org_id, owner.project_id}));
    std::vector<UsageRow> usage;
    for (const Row& row : rows) usage.push_back(usage_row(row));
    return usage;
}

Result<void> AnalyticsStore::put_dead_letter(const DeadLetter& letter) {
    const auto put = connection_.execute(
        "INSERT INTO dead_letters (source, sequence, event_id, type, data, why, received_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        {letter.source, letter.sequence, letter.event_id, letter.type, letter.data, letter.why,
         letter.received_at.micros});
    if (!put) return put.error();
    return {};
}

Result<std::int64_t> AnalyticsStore::prune(Timestamp until, std::int64_t limit) {
    QUIRE_TRY(const std::int64_t requests,
              connection_.execute("DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests "
                                  "WHERE at < $1 ORDER BY at LIMIT $2)",
                                  {until.micros, limit}));
    QUIRE_TRY(const std::int64_t letters,
              connection_.execute("DELETE FROM dead_letters WHERE (source, sequence) IN (SELECT "
                                  "source, sequence FROM dead_letters WHERE received_at < $1 "
                                  "LIMIT $2)",
                                  {until.micros, limit}));
    return requests + letters;
}

}  // namespace quire::analytics
