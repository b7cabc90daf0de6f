#include "app/commands.hpp"
#include "app/data_folder.hpp"
#include "app/terminal.hpp"
#include "base/clock.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

namespace quire::app {
namespace {

constexpr std::string_view kRpc = "/rpc/quire.prompts.v1.Prompts/";

json::value member_or(const json::object& from, std::string_view name, json::value otherwise) {
    const json::value* value = runtime::find_member(from, name);
    return value == nullptr ? std::move(otherwise) : json::value(*value);
}

std::string time_of(const json::object& from) {
    const std::int64_t micros = integer_member(from, "created_at_us");
    if (micros != 0) return to_rfc3339(Timestamp{micros});
    return std::string(runtime::text_member(from, "created_at"));
}

/// A version as /api/v1 says it, from either form.
json::object version_json(const json::object& from) {
    json::object out;
    out["name"] = runtime::text_member(from, "name");
    out["version"] = integer_member(from, "version");
    out["labels"] = member_or(from, "labels", json::array());
    out["variables"] = member_or(from, "variables", json::array());
    out["created_at"] = time_of(from);
    if (runtime::find_member(from, "messages") == nullptr) return out;
    const std::string_view model = runtime::text_member(from, "model");
    out["model"] = nullptr;
    if (!model.empty()) out["model"] = model;
    out["parameters"] = member_or(from, "parameters", json::object());
    auto parameters = runtime::parse_json(runtime::text_member(from, "parameters_json"));
    if (parameters) out["parameters"] = *std::move(parameters);
    out["messages"] = member_or(from, "messages", json::array());
    return out;
}

json::object prompt_json(const json::object& from) {
    json::object out;
    out["name"] = runtime::text_member(from, "name");
    out["latest_version"] = integer_member(from, "latest_version");
    json::object labels;
    const json::value* given = runtime::find_member(from, "labels");
    if (given != nullptr && given->is_object()) {
        for (const auto& label : given->as_object()) {
            labels[label.key()] = integer_of(label.value());
        }
    }
    out["labels"] = std::move(labels);
    out["created_at"] = time_of(from);
    return out;
}

Result<std::string> text_of_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (file) return text.str();
    return Error(ErrorCode::kNotFound, fmt::format("cannot read {}", path));
}

/// YAML says numbers and words alike; only an unquoted number of a parameter is meant as one.
json::value to_json(const config::Node& node, bool has_numbers) {
    if (node.kind == config::Node::Kind::kScalar) {
        if (!has_numbers || node.is_quoted) return json::value(node.scalar);
        auto parsed = runtime::parse_json(node.scalar);
        if (parsed && !parsed->is_object() && !parsed->is_array()) return *parsed;
        return json::value(node.scalar);
    }
    if (node.kind == config::Node::Kind::kList) {
        json::array list;
        for (const config::Node& item : node.list) list.push_back(to_json(item, has_numbers));
        return list;
    }
    if (node.kind == config::Node::Kind::kNull) return nullptr;
    json::object object;
    for (const config::Node::Entry& entry : node.map) {
        const bool counts = (has_numbers || entry.name == "parameters") && entry.name != "stop";
        object[entry.name] = to_json(entry.value, counts);
    }
    return object;
}

/// JSON is read as JSON, so that its strings stay strings.
Result<json::object> read_prompt_file(const std::string& path) {
    QUIRE_TRY(const std::string text, text_of_file(path));
    json::value value;
    auto parsed = runtime::parse_json(text);
    if (parsed) {
        value = *std::move(parsed);
    } else {
        QUIRE_TRY(const config::Node node, config::parse_yaml(text, path));
        value = to_json(node, false);
    }
    if (value.is_object()) return std::move(value.as_object());
    return Error(ErrorCode::kInvalidValue,
                 fmt::format("{} must be an object with name and messages", path));
}

/// The socket takes what is missing for "".
Result<void> check_messages(const json::object& body) {
    const json::value* messages = runtime::find_member(body, "messages");
    if (messages == nullptr || !messages->is_array()) {
        return Error(ErrorCode::kMissingRequiredParameter,
                     "'messages' is required in the file: a list");
    }
    for (std::size_t i = 0; i < messages->get_array().size(); ++i) {
        const json::value& message = messages->get_array()[i];
        for (const std::string_view name : {"role", "content"}) {
            const json::value* text =
                message.is_object() ? runtime::find_member(message.get_object(), name) : nullptr;
            if (text != nullptr && text->is_string()) continue;
            return Error(ErrorCode::kInvalidValue,
                         fmt::format("messages[{}] needs a {}, which is text", i, name));
        }
    }
    return {};
}

Result<json::value> publish(const OperatorClient& client, json::object body) {
    const std::string name(runtime::text_member(body, "name"));
    if (name.empty()) {
        return Error(ErrorCode::kMissingRequiredParameter, "'name' is required in the file");
    }
    const auto checked = check_messages(body);
    if (!checked) return checked.error();
    if (!client.is_socket()) {
        body.erase("name");
        return call_json(client, "POST", fmt::format("/api/v1/prompts/{}/versions", name),
                         json::serialize(body));
    }
    if (const json::value* parameters = runtime::find_member(body, "parameters")) {
        body["parameters_json"] = json::serialize(*parameters);
    }
    body.erase("parameters");
    return call_json(client, "POST", fmt::format("{}PublishVersion", kRpc), json::serialize(body));
}

/// The version in an answer of either form.
json::object answered_version(const OperatorClient& client, const json::value& answer) {
    if (!client.is_socket()) return version_json(answer.as_object());
    const json::value* version = runtime::find_member(answer.as_object(), "version");
    return version != nullptr && version->is_object() ? version_json(version->as_object())
                                                      : json::object();
}

std::string words_of(const json::object& from, std::string_view name) {
    std::string words;
    const json::value* list = runtime::find_member(from, name);
    if (list == nullptr || !list->is_array()) return words;
    for (const json::value& word : list->get_array()) {
        words += (words.empty() ? "" : ", ") + std::string(word.as_string());
    }
    return words;
}

int print_version(const json::object& version, bool is_json) {
    if (is_json) {
        print("{}\n", json::serialize(version));
        return kDone;
    }
    print("{} version {}  labels: {}  variables: {}  {}\n", runtime::text_member(version, "name"),
          integer_member(version, "version"), words_of(version, "labels"),
          words_of(version, "variables"), runtime::text_member(version, "created_at"));
    const json::value* messages = runtime::find_member(version, "messages");
    if (messages == nullptr) return kDone;
    for (const json::value& message : messages->get_array()) {
        print("\n{}:\n{}\n", runtime::text_member(message.as_object(), "role"),
              printable(runtime::text_member(message.as_object(), "content")));
    }
    return kDone;
}

}  // namespace

int list_prompts_command(const GlobalOptions& options, const config::Environment& environment) {
    const auto client = connect(options, environment);
    if (!client) return wrong_usage(client.error());
    const auto listed = list_all(
        *client, {"/api/v1/prompts", fmt::format("{}ListPrompts", kRpc), "prompts", "name"});
    if (!listed) return fail(listed.error());
    json::array data;
    for (const json::value& one : *listed) data.push_back(prompt_json(one.as_object()));
    if (options.is_json) {
        json::object document;
        document["data"] = std::move(data);
        document["has_more"] = false;
        print("{}\n", json::serialize(document));
        return kDone;
    }
    for (const json::value& prompt : data) {
        const json::object& one = prompt.as_object();
        print("{:32}  newest {:>4}  {}\n", runtime::text_member(one, "name"),
              integer_of(one.at("latest_version")), json::serialize(one.at("labels")));
    }
    return kDone;
}

int get_prompt_command(const GlobalOptions& options, const config::Environment& environment,
                       const PromptChoice& choice) {
    const auto client = connect(options, environment);
    if (!client) return wrong_usage(client.error());
    json::object body;
    body["name"] = choice.name;
    if (!choice.label.empty()) body["label"] = choice.label;
    if (choice.version != 0) body["version"] = std::to_string(choice.version);
    std::string path = fmt::format("/api/v1/prompts/{}", choice.name);
    if (!choice.label.empty()) path += "?label=" + choice.label;
    if (choice.version != 0) {
        path += fmt::format("{}version={}", choice.label.empty() ? "?" : "&", choice.version);
    }
    const auto answer =
        client->is_socket()
            ? call_json(*client, "POST", fmt::format("{}GetPrompt", kRpc), json::serialize(body))
            : call_json(*client, "GET", path, "");
    if (!answer) return fail(answer.error());
    return print_version(answered_version(*client, *answer), options.is_json);
}

int publish_prompt_command(const GlobalOptions& options, const config::Environment& environment,
                           const std::string& file, const std::string& label) {
    const auto client = connect(options, environment);
    if (!client) return wrong_usage(client.error());
    auto body = read_prompt_file(file);
    if (!body) return wrong_usage(body.error());
    if (!label.empty()) {
        json::value labels = member_or(*body, "labels", json::array());
        if (labels.is_array()) labels.get_array().emplace_back(label);
        (*body)["labels"] = std::move(labels);
    }
    const auto answer = publish(*client, *std::move(body));
    if (!answer) return fail(answer.error());
    json::object version = answered_version(*client, *answer);
    // /api/v1 answers without what was just sent.
    for (const char* sent : {"model", "parameters", "messages"}) version.erase(sent);
    return print_version(version, options.is_json);
}

int label_prompt_command(const GlobalOptions& options, const config::Environment& environment,
                         const PromptChoice& choice) {
    const auto client = connect(options, environment);
    if (!client) return wrong_usage(client.error());
    json::object body;
    if (!client->is_socket()) {
        body["version"] = choice.version;
        const std::string path =
            fmt::format("/api/v1/prompts/{}/labels/{}", choice.name, choice.label);
        const auto answer = call_json(*client, "PUT", path, json::serialize(body));
        if (!answer) return fail(answer.error());
        return print_version(answered_version(*client, *answer), options.is_json);
    }
    body["name"] = choice.name;
    body["label"] = choice.label;
    body["version"] = std::to_string(choice.version);
    const auto answer =
        call_json(*client, "POST", fmt::format("{}SetLabel", kRpc), json::serialize(body));
    if (!answer) return fail(answer.error());
    return print_version(answered_version(*client, *answer), options.is_json);
}

}  // namespace quire::app
