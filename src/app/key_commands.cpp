#include "app/commands.hpp"
#include "app/data_folder.hpp"
#include "app/terminal.hpp"
#include "base/clock.hpp"
#include "runtime/json.hpp"

#include <fmt/format.h>

namespace quire::app {
namespace {

constexpr std::chrono::hours kLifetimeMax{24 * 36'500};

/// Times come as text from /api/v1 and as microseconds (a string) from the socket; people and
/// scripts get one form.
json::object one_form(const json::object& from) {
    json::object out;
    for (const std::string_view name : {"id", "name", "scopes", "last4"}) {
        if (const json::value* value = runtime::find_member(from, name)) out[name] = *value;
    }
    for (const std::string_view name : {"created_at", "expires_at", "revoked_at"}) {
        out[name] = nullptr;
        if (const json::value* value = runtime::find_member(from, name)) out[name] = *value;
        const std::string_view micros = runtime::text_member(from, fmt::format("{}_us", name));
        const auto number = config::parse_integer(micros);
        if (number && *number != 0) out[name] = to_rfc3339(Timestamp{*number});
    }
    return out;
}

std::vector<std::string> split_scopes(const std::optional<std::string>& given) {
    std::vector<std::string> scopes;
    const std::string text = given.value_or("");
    std::size_t begin = 0;
    while (begin < text.size()) {
        const auto end = std::min(text.find(',', begin), text.size());
        if (end > begin) scopes.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return scopes;
}

std::string text_or(const json::object& object, std::string_view key, std::string_view otherwise) {
    const std::string_view text = runtime::text_member(object, key);
    return std::string(text.empty() ? otherwise : text);
}

void print_key_line(const json::object& key) {
    std::string scopes;
    if (const json::value* list = runtime::find_member(key, "scopes"); list && list->is_array()) {
        for (const json::value& scope : list->get_array()) {
            scopes += (scopes.empty() ? "" : ",") + std::string(scope.as_string());
        }
    }
    print("{}  …{}  {:20}  {}  {}\n", text_or(key, "id", ""), text_or(key, "last4", ""),
          printable(text_or(key, "name", "")), scopes,
          text_or(key, "revoked_at", "").empty() ? "expires " + text_or(key, "expires_at", "never")
                                                 : "revoked " + text_or(key, "revoked_at", ""));
}

}  // namespace

int create_key_command(const GlobalOptions& options, const config::Environment& environment,
                       const NewKey& key) {
    const auto client = connect(options, environment);
    if (!client) return wrong_usage(client.error());
    json::object body;
    body["name"] = key.name;
    json::array scopes;
    for (const std::string& scope : split_scopes(key.scopes)) scopes.emplace_back(scope);
    if (key.scopes && scopes.empty()) {
        return wrong_usage(
            {ErrorCode::kInvalidValue, "--scopes names none; leave it out for inference alone"});
    }
    if (!scopes.empty()) body["scopes"] = std::move(scopes);
    if (!key.expires.empty()) {
        const auto after = config::parse_duration(key.expires);
        if (!after) {
            say("quire: --expires: {}", after.error().message());
            return kWrongUsage;
        }
        if (*after > kLifetimeMax) {
            say("quire: --expires: at most 36500d; leave it out for never");
            return kWrongUsage;
        }
        const Timestamp at = SystemClock().now() + *after;
        if (client->is_socket()) {
            body["expires_at_us"] = std::to_string(at.micros);
        } else {
            body["expires_at"] = to_rfc3339(at);
        }
    }
    const std::string path =
        client->is_socket() ? "/rpc/quire.auth.v1.Auth/CreateKey" : "/api/v1/keys";
    const auto created = call_json(*client, "POST", path, json::serialize(body));
    if (!created) return fail(created.error());
    const json::object& answer = created->as_object();
    json::object shown = one_form(client->is_socket() ? answer.at("key").as_object() : answer);
    shown["key"] = client->is_socket() ? text_or(answer, "secret", "") : text_or(answer, "key", "");
    if (runtime::text_member(shown, "key").empty()) {
        return fail({ErrorCode::kUpstreamError, "the answer holds no key: is that a Quire?"});
    }
    if (options.is_json) {
        print("{}\n", json::serialize(shown));
    } else {
        say("Key {}; its text is shown this once:", text_or(shown, "id", ""));
        print("{}\n", text_or(shown, "key", ""));
    }
    return kDone;
}

int list_keys_command(const GlobalOptions& options, const config::Environment& environment) {
    const auto client = connect(options, environment);
    if (!client) return wrong_usage(client.error());
    const auto listed =
        list_all(*client, {"/api/v1/keys", "/rpc/quire.auth.v1.Auth/ListKeys", "keys", "id"});
    if (!listed) return fail(listed.error());
    json::array all;
    for (const json::value& key : *listed) all.push_back(one_form(key.as_object()));
    if (options.is_json) {
        json::object document;
        document["data"] = std::move(all);
        print("{}\n", json::serialize(document));
        return kDone;
    }
    for (const json::value& key : all) print_key_line(key.as_object());
    return kDone;
}

int revoke_key_command(const GlobalOptions& options, const config::Environment& environment,
                       const std::string& id) {
    const auto client = connect(options, environment);
    if (!client) return wrong_usage(client.error());
    json::object body;
    body["id"] = id;
    const auto revoked =
        client->is_socket()
            ? call_json(*client, "POST", "/rpc/quire.auth.v1.Auth/RevokeKey", json::serialize(body))
            : call_json(*client, "DELETE", "/api/v1/keys/" + id, "");
    if (!revoked) return fail(revoked.error());
    if (options.is_json) {
        body["revoked"] = true;
        print("{}\n", json::serialize(body));
    } else {
        say("Revoked {}; it is refused everywhere within 5 s.", id);
    }
    return kDone;
}

}  // namespace quire::app
