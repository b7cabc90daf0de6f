#include "app/commands.hpp"

#include "app/data_folder.hpp"
#include "app/terminal.hpp"
#include "runtime/http/url.hpp"

#include <fmt/format.h>

namespace quire::app {

Result<OperatorClient> connect(const GlobalOptions& options,
                               const config::Environment& environment) {
    if (options.url.empty()) {
        return OperatorClient::at_socket(socket_path(options.data), options.org);
    }
    const auto url = http::parse_url(options.url);
    if (!url) return Error(url.error()).in("--url");
    const auto key = environment.find("QUIRE_API_KEY");
    if (key == environment.end() || key->second.empty()) {
        return Error(ErrorCode::kMissingRequiredParameter, "--url needs QUIRE_API_KEY to be set");
    }
    return OperatorClient::at_url(options.url, key->second);
}

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

Result<json::value> call_json(const OperatorClient& client, const std::string& method,
                              const std::string& path, const std::string& body) {
    QUIRE_TRY(const OperatorAnswer answer, client.send(method, path, body));
    if (answer.status >= 300) return error_of(answer);
    if (answer.body.empty()) return json::value(json::object());
    return runtime::parse_json(answer.body);
}

int fail(const Error& error) {
    say_error(error);
    return kCommandFailed;
}

int wrong_usage(const Error& error) {
    say_error(error);
    return kWrongUsage;
}

std::int64_t integer_of(const json::value& value) {
    if (value.is_int64()) return value.get_int64();
    if (!value.is_string()) return 0;
    const auto parsed = config::parse_integer(std::string(value.get_string()));
    return parsed ? *parsed : 0;
}

std::int64_t integer_member(const json::object& object, std::string_view key) {
    const json::value* value = runtime::find_member(object, key);
    return value == nullptr ? 0 : integer_of(*value);
}

}  // namespace quire::app
