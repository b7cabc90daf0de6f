#include "app/commands.hpp"
#include "app/data_folder.hpp"
#include "app/terminal.hpp"
#include "base/clock.hpp"
#include "runtime/json.hpp"

#include <fmt/format.h>

namespace quire::app {
namespace {

constexpr std::chrono::hours kLifetimeMax{24 * 36'500};

/// A problem+json answer (or OpenAI's object) as the Error it was.
Error error_of(const OperatorAnswer& answer) {
    const auto parsed = runtime::parse_json(answer.body);
    if (!parsed || !parsed->is_object()) {
        return {ErrorCode::kInternalError, fmt::format("the process answered {}", answer.status)};
    }
    const auto& body = parsed->get_object();
    const auto code = error_code_named(runtime::text_member(body, "code"));
    std::string message(runtime::text_member(body, "detail"));
    // Where in a body; the detail of a field that stands alone names it already.
    const json::value* errors = runtime::find_member(body, "errors");
    if (errors != nullptr && errors->is_array() && !errors->get_array().empty() &&
        errors->get_array()[0].is_object()) {
        const auto at = runtime::text_member(errors->get_array()[0].as_object(), "pointer");
        if (at.find('/', 1) != std::string_view::npos) message = fmt::format("{}: {}", at, message);
    }
    return {code.value_or(ErrorCode::kInternalError), std::move(message)};
}

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

std::vector<std::string> split_scopes(const std::string& text) {
    std::vector<std::string> scopes;
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
          text_or(key, "name", ""), scopes,
          text_or(key, "revoked_at", "").empty() ? "expires " + text_or(key, "expires_at", "never")
                                                 : "revoked " + text_or(key, "revoked_at", ""));
}

/// Of a text that comes in pieces.
class LastLine {
public:
    void add(std::string_view bytes) {
        while (!bytes.empty()) {
            if (is_over_) text_.clear();
            const auto end = bytes.find('\n');
            text_ += bytes.substr(0, end);
            is_over_ = end != std::string_view::npos;
            bytes.remove_prefix(is_over_ ? end + 1 : bytes.size());
        }
    }
    const std::string& text() const { return text_; }

private:
    std::string text_;
    bool is_over_ = false;
};

/// A stream's status went out before its messages, so an error is its last line.
bool is_error(std::string_view line) {
    const auto parsed = runtime::parse_json(line);
    if (!parsed || !parsed->is_object() || parsed->get_object().size() != 1) return false;
    const json::value* error = runtime::find_member(parsed->get_object(), "error");
    return error != nullptr && error->is_object() &&
           runtime::text_member(error->get_object(), "type").starts_with("urn:quire:error:");
}

}  // namespace

Result<json::value> call_json(const OperatorClient& client, const std::string& method,
                              const std::string& path, const std::string& body) {
    QUIRE_TRY(const OperatorAnswer answer, client.send(method, path, body));
    if (answer.status >= 300) return error_of(answer);
    if (answer.body.empty()) return json::value(json::object());
    return runtime::parse_json(answer.body);
}

Result<OperatorClient> connect(const GlobalOptions& options,
                               const config::Environment& environment) {
    if (options.url.empty()) {
        return OperatorClient::at_socket(socket_path(options.data), options.org);
    }
    const auto key = environment.find("QUIRE_API_KEY");
    if (key == environment.end()) {
        return Error(ErrorCode::kMissingRequiredParameter, "--url needs QUIRE_API_KEY to be set");
    }
    return OperatorClient::at_url(options.url, key->second);
}

int fail(const Error& error) {
    say_error(error);
    return kCommandFailed;
}

int call_command(const GlobalOptions& options, const config::Environment& /*environment*/,
                 const std::string& method, const std::string& body) {
    const auto client = OperatorClient::at_socket(socket_path(options.data), options.org);
    LastLine last;
    const auto show = [&last](std::string_view bytes) {
        write_stdout(bytes);
        std::fflush(stdout);
        last.add(bytes);
    };
    const auto answer = client.send("POST", "/rpc/" + method, body, show);
    if (!answer) return fail(answer.error());
    if (answer->status >= 300) return fail(error_of(*answer));
    return is_error(last.text()) ? kCommandFailed : kDone;
}

int create_key_command(const GlobalOptions& options, const config::Environment& environment,
                       const NewKey& key) {
    const auto client = connect(options, environment);
    if (!client) return fail(client.error());
    json::object body;
    body["name"] = key.name;
    json::array scopes;
    for (const std::string& scope : split_scopes(key.scopes)) scopes.emplace_back(scope);
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
    if (!client) return fail(client.error());
    const auto listed = client->is_socket()
                            ? call_json(*client, "POST", "/rpc/quire.auth.v1.Auth/ListKeys",
                                        R"({"page":{"limit":1000}})")
                            : call_json(*client, "GET", "/api/v1/keys?limit=1000", "");
    if (!listed) return fail(listed.error());
    const json::value* keys =
        runtime::find_member(listed->as_object(), client->is_socket() ? "keys" : "data");
    json::array all;
    if (keys != nullptr && keys->is_array()) {
        for (const json::value& key : keys->get_array()) all.push_back(one_form(key.as_object()));
    }
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
    if (!client) return fail(client.error());
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
