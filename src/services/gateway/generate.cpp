#include "base/text.hpp"
#include "services/gateway/body_fields.hpp"
#include "services/gateway/gateway_api.hpp"
#include "services/gateway/generate_answer.hpp"
#include "services/gateway/idempotency.hpp"

#include <fmt/format.h>

namespace quire::gateway {
namespace {

// What OpenAI allows in `metadata` too, the last two in characters.
constexpr std::size_t kPairsMax = 16;
constexpr std::size_t kKeyMax = 64;
constexpr std::size_t kValueMax = 512;

Result<void> read_metadata(const json::object& body, prompts::v1::GenerateCall& call) {
    const json::value* metadata = runtime::find_member(body, "metadata");
    if (metadata == nullptr) return {};
    const std::string wanted = fmt::format(
        "an object of up to {} strings, keys of up to {} characters and values of up "
        "to {}",
        kPairsMax, kKeyMax, kValueMax);
    if (!metadata->is_object() || metadata->get_object().size() > kPairsMax) {
        return wrong_field("metadata", wanted);
    }
    for (const auto& member : metadata->get_object()) {
        const std::string_view key(member.key().data(), member.key().size());
        if (characters_in(key) > kKeyMax || !member.value().is_string() ||
            characters_in(member.value().get_string()) > kValueMax) {
            return wrong_field("metadata", wanted);
        }
        call.mutable_metadata()->insert(
            {std::string(key), std::string(member.value().get_string())});
    }
    return {};
}

Result<void> read_variables(const json::object& body, prompts::v1::GenerateCall& call) {
    const json::value* variables = runtime::find_member(body, "variables");
    if (variables == nullptr) return {};
    if (!variables->is_object()) return wrong_field("variables", "an object");
    call.set_variables_json(json::serialize(*variables));
    return {};
}

Result<prompts::v1::GenerateCall> read_generate(const json::object& body) {
    const auto known = check_fields(body, {"prompt", "label", "version", "variables", "model",
                                           "max_output_tokens", "stream", "metadata"});
    if (!known) return known.error();
    prompts::v1::GenerateCall call;
    QUIRE_TRY(*call.mutable_prompt(), require_text(body, "prompt"));
    QUIRE_TRY(*call.mutable_label(), read_text(body, "label"));
    QUIRE_TRY(*call.mutable_model(), read_text(body, "model"));
    QUIRE_TRY(const auto version, read_count(body, "version"));
    call.set_version(version.value_or(0));
    QUIRE_TRY(const auto tokens, read_count(body, "max_output_tokens"));
    if (tokens) call.set_max_output_tokens(*tokens);
    if (const json::value* stream = runtime::find_member(body, "stream")) {
        if (!stream->is_bool()) return wrong_field("stream", "true or false");
        call.set_streamed(stream->get_bool());
    }
    auto read = read_variables(body, call);
    if (read) read = read_metadata(body, call);
    if (read && version && !call.label().empty()) {
        read = wrong_field("version", "left out when there is a label");
    }
    if (!read) return read.error();
    return call;
}

}  // namespace

awaitable<Result<void>> GatewayApi::generate(GatewayCall& call) {
    auto request = read_generate(*call.body);
    if (!request) co_return request.error();
    const auto keyed = check_idempotency_key(call);
    if (!keyed) co_return keyed.error();
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    request->set_route("/api/v1/generate");
    request->set_request_hash(idempotency_hash(call));
    *request->add_steps() = call.auth_step();
    call.release_body();
    if (request->streamed()) {
        GenerateStream stream(call);
        stream.keep_alive(config_.keep_alive);
        const auto done = co_await ports_.prompts->generate(call.ctx, *request, stream);
        if (!done) co_return done.error();
        co_return co_await stream.finish();
    }
    GenerateAnswer answer;
    const auto done = co_await ports_.prompts->generate(call.ctx, *request, answer);
    if (!done) co_return done.error();
    co_return co_await answer.respond(call);
}

}  // namespace quire::gateway
