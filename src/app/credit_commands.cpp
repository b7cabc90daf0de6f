#include "app/commands.hpp"
#include "app/data_folder.hpp"
#include "app/terminal.hpp"
#include "base/id.hpp"
#include "services/credits/credits_module.hpp"

#include <fmt/format.h>

namespace quire::app {
namespace {

constexpr std::string_view kRpc = "/rpc/quire.credits.v1.Credits/";

/// One entry as /api/v1 says it, from either form.
json::object entry_json(const json::object& from) {
    json::object out;
    out["id"] = std::string(runtime::text_member(from, "id"));
    const std::int64_t micros = integer_member(from, "at_us");
    out["at"] =
        micros != 0 ? to_rfc3339(Timestamp{micros}) : std::string(runtime::text_member(from, "at"));
    out["kind"] = std::string(runtime::text_member(from, "kind"));
    out["amount"] = integer_member(from, "amount");
    const std::string_view request = runtime::text_member(from, "request_id");
    out["request_id"] = nullptr;
    if (!request.empty()) out["request_id"] = std::string(request);
    out["description"] = std::string(runtime::text_member(from, "description"));
    return out;
}

void print_entry(const json::object& entry) {
    print("{}  {:>16}  {:8}  {}  {}\n", runtime::text_member(entry, "at"),
          integer_member(entry, "amount"), runtime::text_member(entry, "kind"),
          printable(runtime::text_member(entry, "request_id")),
          printable(runtime::text_member(entry, "description")));
}

int print_report(const json::object& report, bool is_json) {
    const json::value* ok = runtime::find_member(report, "ok");
    const bool holds = ok != nullptr && ok->is_bool() && ok->get_bool();
    if (!is_json) {
        say("The ledger's invariants {}.", holds ? "hold" : "do NOT hold");
    }
    print("{}\n", json::serialize(report));
    return holds ? kDone : kCommandFailed;
}

json::object report_json(const credits::LedgerReport& report) {
    json::object out;
    out["ok"] = report.is_ok();
    json::object checked;
    for (const auto& [name, rows] : report.checked) checked[name] = rows;
    out["checked"] = std::move(checked);
    if (report.is_ok()) return out;
    json::array violations;
    for (const std::string& violation : report.violations) violations.emplace_back(violation);
    out["violations"] = std::move(violations);
    return out;
}

/// The socket's form (integers as strings, `ok` left out when false) as the command's.
json::object report_json(const json::object& from) {
    json::object out;
    const json::value* ok = runtime::find_member(from, "ok");
    out["ok"] = ok != nullptr && ok->is_bool() && ok->get_bool();
    json::object checked;
    if (const json::value* rows = runtime::find_member(from, "checked");
        rows && rows->is_object()) {
        for (const auto& row : rows->as_object()) {
            checked[row.key()] = integer_of(row.value());
        }
    }
    out["checked"] = std::move(checked);
    if (const json::value* found = runtime::find_member(from, "violations")) {
        if (found->is_array() && !found->get_array().empty()) out["violations"] = *found;
    }
    return out;
}

}  // namespace

int balance_command(const GlobalOptions& options, const config::Environment& environment) {
    const auto client = connect(options, environment);
    if (!client) return wrong_usage(client.error());
    const auto answer = client->is_socket()
                            ? call_json(*client, "POST", fmt::format("{}GetBalance", kRpc), "{}")
                            : call_json(*client, "GET", "/api/v1/credits/balance", "");
    if (!answer) return fail(answer.error());
    json::object balance;
    balance["available"] = integer_member(answer->as_object(), "available");
    balance["held"] = integer_member(answer->as_object(), "held");
    balance["unit"] = "micro_credits";
    if (options.is_json) {
        print("{}\n", json::serialize(balance));
    } else {
        print("available {} micro-credits, held {}\n", integer_member(balance, "available"),
              integer_member(balance, "held"));
    }
    return kDone;
}

int entries_command(const GlobalOptions& options, const config::Environment& environment) {
    const auto client = connect(options, environment);
    if (!client) return wrong_usage(client.error());
    const auto answer = client->is_socket()
                            ? call_json(*client, "POST", fmt::format("{}ListEntries", kRpc),
                                        R"({"page":{"limit":1000}})")
                            : call_json(*client, "GET", "/api/v1/credits/entries?limit=1000", "");
    if (!answer) return fail(answer.error());
    const json::value* listed =
        runtime::find_member(answer->as_object(), client->is_socket() ? "entries" : "data");
    json::array data;
    if (listed != nullptr && listed->is_array()) {
        for (const json::value& entry : listed->get_array()) {
            data.push_back(entry_json(entry.as_object()));
        }
    }
    if (!options.is_json) {
        for (const json::value& entry : data) print_entry(entry.as_object());
        return kDone;
    }
    json::object document;
    document["data"] = std::move(data);
    const json::value* more = runtime::find_member(answer->as_object(), "has_more");
    document["has_more"] = more != nullptr && more->is_bool() && more->get_bool();
    print("{}\n", json::serialize(document));
    return kDone;
}

int grant_command(const GlobalOptions& options, const config::Environment& /*environment*/,
                  const NewGrant& grant) {
    const auto amount = config::parse_integer(grant.amount);
    if (!amount || *amount <= 0) {
        say("quire: the amount is '{}'; it must be a whole number of micro-credits "
            "above 0 (invalid_value)",
            grant.amount);
        return kWrongUsage;
    }
    const auto client = OperatorClient::at_socket(socket_path(options.data), options.org);
    SystemRng rng;
    json::object body;
    body["amount"] = std::to_string(*amount);
    body["reason"] = grant.reason;
    body["idempotency_key"] = "grant-" + make_ulid(SystemClock().now(), rng);
    const auto answer =
        call_json(client, "POST", fmt::format("{}Grant", kRpc), json::serialize(body));
    if (!answer) return fail(answer.error());
    const json::object shown = entry_json(answer->as_object().at("entry").as_object());
    if (options.is_json) {
        print("{}\n", json::serialize(shown));
    } else {
        say("Granted {} micro-credits: {}", integer_member(shown, "amount"),
            runtime::text_member(shown, "id"));
    }
    return kDone;
}

int verify_command(const GlobalOptions& options) {
    std::error_code ec;
    if (!std::filesystem::exists(options.data, ec)) {
        return fail({ErrorCode::kNotFound,
                     fmt::format("there is no data folder {}", options.data.string())});
    }
    if (!std::filesystem::exists(options.data / "credits.db", ec)) {
        return fail(
            {ErrorCode::kNotFound, fmt::format("there is no ledger in {}", options.data.string())});
    }
    const auto folder = DataFolder::lock(options.data);
    if (folder) {
        const auto report = credits::verify_ledger(options.data);
        if (!report) return fail(report.error());
        return print_report(report_json(*report), options.is_json);
    }
    // A running `quire up` that has the folder is asked, another verification is not.
    if (folder.error().detail(DataFolder::kHolder).empty()) return fail(folder.error());
    const auto client = OperatorClient::at_socket(socket_path(options.data), options.org);
    const auto answer = client.send("POST", fmt::format("{}Verify", kRpc), "{}");
    if (!answer) return fail(folder.error());
    if (answer->status >= 300) return fail(error_of(*answer));
    const auto report = runtime::parse_json(answer->body);
    if (!report) return fail(report.error());
    return print_report(report_json(report->as_object()), options.is_json);
}

}  // namespace quire::app
