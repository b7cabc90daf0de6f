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
    auto url = http::parse_url(options.url);
    if (!url) return Error(url.error()).in("--url");
    // What `quire up` tells, and SDKs are given.
    if (url->path.ends_with("/v1")) url->path.resize(url->path.size() - 3);
    const auto key = environment.find("QUIRE_API_KEY");
    if (key == environment.end() || key->second.empty()) {
        return Error(ErrorCode::kMissingRequiredParameter, "--url needs QUIRE_API_KEY to be set");
    }
    return OperatorClient::at_url(*std::move(url), key->second);
}

namespace {

/// Of a route below /v1, or of a path that the gateway does not know.
Error error_of_openai(const json::object& error) {
    const auto code = error_code_named(runtime::text_member(error, "code"));
    return {code.value_or(ErrorCode::kInternalError),
            std::string(runtime::text_member(error, "message"))};
}

}  // namespace

Error error_of(const OperatorAnswer& answer) {
    const auto parsed = runtime::parse_json(answer.body);
    if (!parsed || !parsed->is_object()) {
        return {ErrorCode::kInternalError, fmt::format("the process answered {}", answer.status)};
    }
    const auto& body = parsed->get_object();
    const json::value* nested = runtime::find_member(body, "error");
    if (nested != nullptr && nested->is_object()) return error_of_openai(nested->get_object());
    const auto code = error_code_named(runtime::text_member(body, "code"));
    std::string message(runtime::text_member(body, "detail"));
    if (!code && message.empty()) message = fmt::format("the process answered {}", answer.status);
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
    auto parsed = runtime::parse_json(answer.body);
    if (parsed) return parsed;
    return Error(ErrorCode::kUpstreamError, "the answer is no JSON: is that a Quire?");
}

int fail(const Error& error) {
    say_error(error);
    const bool is_usage = error.row().grpc_status == GrpcStatus::kInvalidArgument;
    return is_usage ? kWrongUsage : kCommandFailed;
}

int wrong_usage(const Error& error) {
    say_error(error);
    return kWrongUsage;
}

Result<json::array> list_all(const OperatorClient& client, const ListCall& call) {
    constexpr int kPage = 1'000;
    json::array all;
    std::string after;
    while (true) {
        Result<json::value> page = json::value();
        if (client.is_socket()) {
            json::object body;
            body["page"] = {{"limit", kPage}, {"after", after}};
            page = call_json(client, "POST", call.rpc, json::serialize(body));
        } else {
            const std::string from = after.empty() ? "" : "&after=" + after;
            page =
                call_json(client, "GET", fmt::format("{}?limit={}{}", call.path, kPage, from), "");
        }
        if (!page) return page.error();
        const json::object& answer = page->as_object();
        const json::value* entries =
            runtime::find_member(answer, client.is_socket() ? call.member : "data");
        if (entries == nullptr || !entries->is_array()) return all;
        for (const json::value& entry : entries->get_array()) {
            if (!entry.is_object()) {
                return Error(ErrorCode::kUpstreamError,
                             "the answer lists what is no object: is that a Quire?");
            }
            all.push_back(entry);
        }
        const std::string before = std::move(after);
        if (!all.empty()) after = runtime::text_member(all.back().get_object(), call.cursor);
        const json::value* more = runtime::find_member(answer, "has_more");
        const bool has_more = more != nullptr && more->is_bool() && more->get_bool();
        if (!has_more || after == before) return all;
    }
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
