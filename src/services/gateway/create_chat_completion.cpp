#include "base/id.hpp"
#include "providers/chat_json.hpp"
#include "services/gateway/chat_answer.hpp"
#include "services/gateway/chat_stream.hpp"
#include "services/gateway/gateway_api.hpp"
#include "services/gateway/idempotency.hpp"

namespace quire::gateway {
namespace {

/// The two fields that only the edge reads.
struct StreamWish {
    bool is_streamed = false;
    bool has_usage = false;
};

Error not_boolean(std::string param) {
    return Error(ErrorCode::kInvalidValue, param + " must be true or false")
        .with_param(std::move(param));
}

Result<StreamWish> read_stream_wish(const json::object& body) {
    StreamWish wish;
    if (const json::value* stream = runtime::find_member(body, "stream")) {
        if (!stream->is_bool()) return not_boolean("stream");
        wish.is_streamed = stream->get_bool();
    }
    const json::value* options = runtime::find_member(body, "stream_options");
    if (options == nullptr) return wish;
    if (!options->is_object()) {
        return Error(ErrorCode::kInvalidValue, "stream_options must be an object")
            .with_param("stream_options");
    }
    if (const json::value* usage = runtime::find_member(options->get_object(), "include_usage")) {
        if (!usage->is_bool()) return not_boolean("stream_options.include_usage");
        wish.has_usage = usage->get_bool();
    }
    return wish;
}

}  // namespace

awaitable<Result<void>> GatewayApi::create_chat_completion(GatewayCall& call) {
    auto request = providers::read_chat_request(*call.body);
    if (!request) co_return request.error();
    const auto wish = read_stream_wish(*call.body);
    if (!wish) co_return wish.error();
    const auto keyed = check_idempotency_key(call);
    if (!keyed) co_return keyed.error();
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();

    const ChatIdentity identity{
        "chatcmpl-" + std::string(ulid_of(call.ctx.request_id, "req").value_or("")),
        request->model(), clock_.now().seconds()};
    prompts::v1::ChatCall chat;
    *chat.mutable_request() = *std::move(request);
    chat.set_route("/v1/chat/completions");
    chat.set_streamed(wish->is_streamed);
    chat.set_request_hash(idempotency_hash(call));
    *chat.add_steps() = call.auth_step();
    call.release_body();

    if (wish->is_streamed) {
        ChatStream stream(call, identity, wish->has_usage);
        stream.keep_alive(config_.keep_alive);
        const auto done = co_await ports_.prompts->chat(call.ctx, chat, stream);
        if (!done) co_return done.error();
        co_return co_await stream.finish();
    }
    ChatAnswer answer;
    const auto done = co_await ports_.prompts->chat(call.ctx, chat, answer);
    if (!done) co_return done.error();
    co_return co_await answer.respond(call, identity);
}

}  // namespace quire::gateway
