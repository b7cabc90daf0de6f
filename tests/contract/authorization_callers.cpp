#include "tests/contract/authorization_callers.hpp"

#include "base/id.hpp"
#include "quire/auth/v1/auth_rpc.hpp"
#include "runtime/json.hpp"
#include "services/auth/auth_service.hpp"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <fstream>
#include <sstream>

namespace quire::test {
namespace {

using config::Node;
using google::protobuf::Message;
using rpc::Principal;

const std::string kCanary = "a canary of the first organization";
constexpr std::size_t kUlidLength = 26;
constexpr std::int64_t kKeyLifeMicros = 500'000;

json::value to_json(const Node& node) {
    if (node.kind == Node::Kind::kMap) {
        json::object object;
        for (const auto& entry : node.map) object[entry.name] = to_json(entry.value);
        return object;
    }
    if (node.kind == Node::Kind::kList) {
        json::array list;
        for (const Node& item : node.list) list.push_back(to_json(item));
        return list;
    }
    if (node.scalar == "true") return true;
    return json::value(node.scalar);  // protobuf reads numbers from text too
}

/// The row's call with every {name} in it replaced.
std::string body_of(const std::string& method, const Names& names) {
    std::string text = json::serialize(to_json(*matrix_methods().find(method)->find("request")));
    for (const auto& [name, value] : names) {
        const std::string placeholder = "{" + name + "}";
        const auto at = text.find(placeholder);
        if (at != std::string::npos) text.replace(at, placeholder.size(), value);
    }
    return text;
}

const google::protobuf::MethodDescriptor& descriptor_of(const rpc::Method& method) {
    const std::string name = fmt::format("{}.{}", method.service, method.name);
    return *google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
}

std::unique_ptr<Message> new_message(const google::protobuf::Descriptor* type) {
    auto* factory = google::protobuf::MessageFactory::generated_factory();
    return std::unique_ptr<Message>(factory->GetPrototype(type)->New());
}

/// All that is answered, as JSON.
awaitable<Result<std::string>> ask(rpc::Channel& channel, const rpc::CallContext& ctx,
                                   const rpc::Method& method, const Message& request) {
    const std::string path = method.path();
    const auto answer = new_message(descriptor_of(method).output_type());
    QUIRE_CO_TRY(const auto stream, channel.start(ctx, path));
    const auto asked = co_await rpc::ask(*stream, request);
    if (!asked) co_return asked.error();
    std::string text;
    while (true) {
        QUIRE_CO_TRY(const bool has_answer, stream->read(*answer));
        if (!has_answer) co_return text;
        std::string line;
        EXPECT_TRUE(google::protobuf::util::MessageToJsonString(*answer, &line).ok());
        text += line;
    }
}

Heard heard(const Error& error) { return {std::string(error.name()), error.message()}; }

std::vector<std::string> all_scopes() {
    return {auth::all_scopes().begin(), auth::all_scopes().end()};
}

std::string text_at(const json::value& object, std::string_view key) {
    const json::string& text = object.at(json::string_view(key.data(), key.size())).as_string();
    return {text.data(), text.size()};
}

std::string id_body(const std::string& id) { return fmt::format(R"({{"id":"{}"}})", id); }

}  // namespace

const Node& matrix_methods() {
    static const Node kMethods = [] {
        const std::string path = QUIRE_SOURCE_DIR "/tests/authorization/matrix.yaml";
        std::stringstream text;
        text << std::ifstream(path).rdbuf();
        const auto parsed = config::parse_yaml(text.str(), path);
        QUIRE_ASSERT(parsed && parsed->find("methods") != nullptr, "the matrix can be read");
        return *parsed->find("methods");
    }();
    return kMethods;
}

std::string matrix_cell(const std::string& method, const std::string& caller) {
    const Node* value = matrix_methods().find(method)->find(caller);
    return value == nullptr ? "(no such column)" : value->scalar;
}

std::string judge(const std::string& cell, const Heard& heard, const std::set<std::string>& foreign,
                  const std::string& operators) {
    const std::string word = cell.substr(0, cell.find(' '));
    if (heard.word != word) {
        return fmt::format("heard {}, not {}: {}", heard.word, word, heard.text);
    }
    if (cell.ends_with(" own")) {
        for (const std::string& text : foreign) {
            if (heard.text.find(text) != std::string::npos) return "was told " + text;
        }
        if (heard.text == operators) return "heard what the first organization hears";
    }
    if (cell.ends_with(" shared") && heard.text != operators) return "did not hear the same";
    return "";
}

Organizations::Organizations(const AllServices::Change& change) : services_(change) {
    first_ = new_organization("first");
    const Principal other = new_organization("other");
    revoked_ = new_key(first_, all_scopes());
    by_operator(first_, "auth.RevokeKey", id_body(ids_.at(revoked_)));
    expired_ = new_key(first_, all_scopes(), services_.clock.now().micros + kKeyLifeMicros);
    other_key_ = new_key(other, all_scopes());
    for (const std::string_view name : {"post", "shared"}) {
        by_operator(first_, "prompts.PublishVersion",
                    fmt::format(R"({{"name":"{}","labels":["production"],"messages":)"
                                R"([{{"role":"user","content":"{}"}}]}})",
                                name, kCanary));
    }
    names = {{"prompt", "post"}, {"shared", "shared"}, {"request", generate_for_first()}};
    names["key"] = ids_.at(new_key(first_, {"inference"}));
    names["settling"] = admit_for_first();
    names["voiding"] = admit_for_first();
    EXPECT_TRUE(wait_until([this] { return !authenticate(expired_).has_value(); }));
}

Heard Organizations::ask_as(const std::string& caller, const rpc::Method& method,
                            const Names& about) {
    rpc::CallContext ctx;
    Wired* wire = services_.loopback.get();
    Names filling = about;
    filling["fresh"] = new_request_id();
    filling["caller_key"] = key_of(caller, method);
    if (caller == "operator" || caller == "operator_tcp") {
        ctx.principal = first_;
        if (caller == "operator") wire = services_.unix_socket.get();
    } else if (caller != "anonymous") {
        const auto principal = authenticate(filling["caller_key"]);
        if (!principal) return heard(principal.error());
        ctx.principal = *principal;
    }
    return call(*wire, ctx, method, body_of(method.short_name(), filling));
}

void Organizations::make_keys(const rpc::Method& method) {
    for (const std::string caller : {"no_scope", "owner"}) key_of(caller, method);
}

json::value Organizations::state() {
    json::array all;
    for (const std::string_view name :
         {"auth.ListKeys", "credits.GetBalance", "credits.ListEntries", "prompts.ListPrompts"}) {
        all.push_back(json::parse(by_operator(first_, name, "{}")));
    }
    for (const std::string_view name : {"post", "shared"}) {
        const std::string body = fmt::format(R"({{"name":"{}"}})", name);
        all.push_back(json::parse(by_operator(first_, "prompts.GetPrompt", body)));
    }
    return all;
}

std::set<std::string> Organizations::foreign() {
    std::set<std::string> found{kCanary};
    const std::string text = json::serialize(state()) + first_.org_id + first_.project_id +
                             first_.user_id + names.at("request");
    for (const std::string prefix : {"org_", "prj_", "usr_", "key_", "txn_", "req_"}) {
        for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at + 1)) {
            found.insert(text.substr(at + prefix.size(), kUlidLength));
        }
    }
    return found;
}

Heard Organizations::call(Wired& wire, const rpc::CallContext& ctx, const rpc::Method& method,
                          const std::string& body) {
    const auto request = new_message(descriptor_of(method).input_type());
    const auto status = google::protobuf::util::JsonStringToMessage(body, request.get());
    EXPECT_TRUE(status.ok()) << body << ": " << std::string(status.message());
    const auto answer = wire.run(ask(*wire.channel, ctx, method, *request));
    if (!answer) return heard(answer.error());
    return {"ok", *answer};
}

std::string Organizations::by_operator(const Principal& org, std::string_view name,
                                       const std::string& body, const std::string& request_id) {
    rpc::CallContext ctx;
    ctx.principal = org;
    ctx.request_id = request_id;
    const Heard answer = call(*services_.unix_socket, ctx, method(name), body);
    EXPECT_EQ(answer.word, "ok") << name << ": " << answer.text;
    return answer.text;
}

Principal Organizations::new_organization(std::string_view name) {
    Principal principal;
    principal.is_operator = true;
    const std::string body = fmt::format(R"({{"name":"{}"}})", name);
    const json::value made = json::parse(by_operator(principal, "auth.CreateOrganization", body));
    principal.org_id = text_at(made.at("organization"), "id");
    principal.project_id = text_at(made.at("organization"), "projectId");
    principal.user_id = text_at(made.at("organization"), "userId");
    by_operator(principal, "credits.Grant",
                R"({"amount":1000000,"reason":"test","idempotency_key":"first"})");
    return principal;
}

std::string Organizations::new_key(const Principal& org, const std::vector<std::string>& scopes,
                                   std::int64_t expires_at_us) {
    const std::string body = fmt::format(R"({{"name":"n","scopes":["{}"],"expires_at_us":{}}})",
                                         fmt::join(scopes, "\",\""), expires_at_us);
    const json::value made = json::parse(by_operator(org, "auth.CreateKey", body));
    const std::string secret = text_at(made, "secret");
    ids_[secret] = text_at(made.at("key"), "id");
    return secret;
}

std::string Organizations::new_request_id() {
    return make_id("req", services_.clock.now(), services_.rng);
}

std::string Organizations::key_of(const std::string& caller, const rpc::Method& method) {
    if (caller == "anonymous") return "";
    if (caller == "revoked") return revoked_;
    if (caller == "expired") return expired_;
    if (caller == "other_org") return other_key_;
    const std::string scope(method.scope);
    std::vector<std::string> scopes = all_scopes();
    if (caller == "no_scope") {
        std::erase(scopes, scope);
    } else if (!scope.empty()) {
        scopes = {scope};
    }
    std::string& key = made_[fmt::format("{}", fmt::join(scopes, " "))];
    if (key.empty()) key = new_key(first_, scopes);
    return key;
}

Result<Principal> Organizations::authenticate(const std::string& key) {
    auth::AuthClient client(services_.loopback->channel);
    auth::v1::AuthenticateRequest request;
    request.set_key(key);
    const rpc::CallContext ctx;
    const auto found = services_.loopback->run(client.authenticate(ctx, request));
    if (!found) return found.error();
    const auto& from = found->principal();
    return Principal{from.org_id(),
                     from.project_id(),
                     from.user_id(),
                     from.key_id(),
                     {from.scopes().begin(), from.scopes().end()},
                     false};
}

std::string Organizations::generate_for_first() {
    const std::string id = new_request_id();
    by_operator(first_, "prompts.Generate", R"({"prompt":"post","max_output_tokens":2})", id);
    rpc::CallContext ctx;
    ctx.principal = first_;
    const rpc::Method& get = method("analytics.GetRequest");
    EXPECT_TRUE(wait_until(
        [&] { return call(*services_.unix_socket, ctx, get, id_body(id)).word == "ok"; }));
    return id;
}

std::string Organizations::admit_for_first() {
    const std::string id = new_request_id();
    by_operator(first_, "credits.Admit", body_of("credits.Admit", {{"fresh", id}}));
    return id;
}

}  // namespace quire::test
