#include "providers/openai/openai_provider.hpp"

#include "providers/chat_json.hpp"
#include "providers/openai/answer_reader.hpp"
#include "providers/openai/upstream_error.hpp"
#include "runtime/sse.hpp"

#include <fmt/format.h>

namespace quire::providers {
namespace {

constexpr std::size_t kPlainAnswerMax = 32 * 1024 * 1024;
constexpr std::size_t kErrorBodyMax = 1024 * 1024;  // some quote the whole prompt
constexpr std::size_t kEventMax = 1024 * 1024;
constexpr std::size_t kDrainMax = 64 * 1024;
constexpr std::chrono::seconds kDrainTime{1};

/// Lets the connection be used again: the end of the body often comes just after `[DONE]`.
awaitable<void> read_to_end(std::unique_ptr<http::ClientResponse> response) {
    const auto rest = co_await http::read_all(*response, kDrainMax);
    ignore(rest, "a connection that cannot be read to its end is closed");
}

awaitable<Result<Completion>> read_plain(http::ClientResponse& response, DeltaSink& sink,
                                         AnswerReader reader) {
    const auto body = co_await http::read_all(response, kPlainAnswerMax);
    if (!body) {
        const bool is_large = body.error().code() == ErrorCode::kRequestTooLarge;
        if (is_large) co_return Error(ErrorCode::kUpstreamError, body.error().message());
        co_return body.error();
    }
    const auto read = reader.read_whole(*body);
    if (!read) co_return read.error();
    for (const common::v1::Delta& delta : reader.deltas()) {
        const auto written = co_await sink.write(delta);
        if (!written) co_return written.error();
    }
    co_return reader.completion();
}

bool is_of_upstream(const Error& error) {
    return error.code() == ErrorCode::kUpstreamError || error.code() == ErrorCode::kUpstreamTimeout;
}

/// With its finish_reason the answer is whole: what breaks, falls silent or cannot be read after it
/// takes nothing away, least of all the count that may have come.
/// What counts as a sign of life is content, not bytes: a server that only sends comments has
/// `first_token` and `between_tokens` like one that sends nothing.
awaitable<Result<Completion>> read_stream(http::ClientResponse& response, DeltaSink& sink,
                                          AnswerReader reader, SteadyTime first_token_by,
                                          std::chrono::milliseconds between_tokens) {
    runtime::SseParser events(kEventMax);
    const SystemClock clock;
    response.expire_at(first_token_by);
    while (!reader.is_done()) {
        const auto bytes = co_await response.read_some();
        if (!bytes && !(reader.has_finished() && is_of_upstream(bytes.error()))) {
            co_return bytes.error();
        }
        if (!bytes || bytes->empty()) break;
        const auto fed = events.feed(*bytes);
        const bool is_sound = fed.has_value();
        while (const auto event = events.next()) {
            if (reader.is_done()) break;
            const auto read = reader.read_event(event->data);
            if (!read && reader.has_finished()) co_return reader.completion();
            if (!read) co_return read.error();
            for (const common::v1::Delta& delta : reader.deltas()) {
                const auto written = co_await sink.write(delta);
                if (!written) co_return written.error();
            }
            if (!reader.deltas().empty()) response.expire_at(clock.steady() + between_tokens);
        }
        if (is_sound) continue;
        if (reader.has_finished()) break;
        co_return fed.error();
    }
    if (!reader.has_finished()) {
        co_return Error(ErrorCode::kUpstreamError, "the answer ended without a finish_reason");
    }
    co_return reader.completion();
}

}  // namespace

OpenAiProvider::OpenAiProvider(http::Client& client, http::Url base_url, Secret key)
    : client_(client), key_(std::move(key)) {
    target_.url = std::move(base_url);
    secrets_ = {key_.reveal(), target_.url.authority(), target_.url.host};
}

OpenAiProvider::~OpenAiProvider() = default;

void OpenAiProvider::stop() {
    draining_.cancel();
    draining_.join_blocking();
}

http::ClientRequest OpenAiProvider::make_request(const rpc::CallContext& ctx,
                                                 const ProviderRequest& request) const {
    http::ClientRequest out;
    out.path = target_.url.path + "/chat/completions";
    out.headers = {{"content-type", "application/json"},
                   {"accept", "text/event-stream, application/json"},
                   {"user-agent", "quire"},
                   {"traceparent", ctx.trace.traceparent()}};
    if (!ctx.trace.tracestate.empty()) out.headers.emplace_back("tracestate", ctx.trace.tracestate);
    if (!key_.empty()) out.headers.emplace_back("authorization", "Bearer " + key_.reveal());
    out.body = write_chat_request(request.chat, {request.upstream_model, request.max_tokens_field,
                                                 request.max_output_tokens});
    out.timeouts = {request.timeouts.connect, request.timeouts.first_token,
                    request.timeouts.between_tokens};
    return out;
}

awaitable<Result<Completion>> OpenAiProvider::generate(const rpc::CallContext& ctx,
                                                       const ProviderRequest& request,
                                                       DeltaSink& sink) {
    const http::ClientRequest call = make_request(ctx, request);
    const SteadyTime first_token_by = SystemClock().steady() + request.timeouts.first_token;
    QUIRE_CO_TRY(auto response, client_.send(target_, call));
    if (response->status() != 200) co_return co_await refused(*response);
    sink.on_headers();
    const std::string_view type = response->headers().find("content-type");
    if (type.starts_with("application/json")) {
        co_return co_await read_plain(*response, sink, AnswerReader(secrets_));
    }
    if (!type.starts_with("text/event-stream")) {
        co_return Error(ErrorCode::kUpstreamError,
                        fmt::format("answered '{}' instead of JSON or an event stream", type));
    }
    auto completion = co_await read_stream(*response, sink, AnswerReader(secrets_), first_token_by,
                                           request.timeouts.between_tokens);
    if (completion) {
        response->expire_at(SystemClock().steady() + kDrainTime);
        const auto executor = co_await asio::this_coro::executor;
        draining_.spawn(executor, "read upstream to its end", read_to_end(std::move(response)));
    }
    co_return completion;
}

awaitable<Error> OpenAiProvider::refused(http::ClientResponse& response) const {
    const auto body = co_await http::read_all(response, kErrorBodyMax);
    if (!body && body.error().code() == ErrorCode::kCancelled) co_return body.error();
    UpstreamRefusal refusal;
    refusal.status = response.status();
    refusal.retry_after = response.headers().find("retry-after");
    refusal.retry_after_ms = response.headers().find("retry-after-ms");
    // What is too long, or cut, is JSON all the same: the fault stays the client's.
    const bool is_json = response.headers().find("content-type").starts_with("application/json");
    refusal.body = body ? std::string_view(*body) : is_json ? "{}" : "";
    refusal.secrets = secrets_;
    co_return to_error(refusal, SystemClock().now());
}

awaitable<Result<std::vector<std::string>>> OpenAiProvider::list_models(std::size_t max) {
    http::ClientRequest call;
    call.method = "GET";
    call.path = target_.url.path + "/models";
    call.headers = {{"accept", "application/json"}, {"user-agent", "quire"}};
    if (!key_.empty()) call.headers.emplace_back("authorization", "Bearer " + key_.reveal());
    call.timeouts.first_byte = call.timeouts.between_bytes = std::chrono::seconds(5);
    QUIRE_CO_TRY(auto response, client_.send(target_, call));
    if (response->status() != 200) co_return co_await refused(*response);
    QUIRE_CO_TRY(const std::string body, http::read_all(*response, kPlainAnswerMax));
    const auto parsed = runtime::parse_json(body);
    if (!parsed || !parsed->is_object()) {
        co_return Error(ErrorCode::kUpstreamError, "the list of models is not JSON");
    }
    std::vector<std::string> names;
    const json::value* data = runtime::find_member(parsed->get_object(), "data");
    if (data != nullptr && data->is_array()) {
        for (const json::value& item : data->get_array()) {
            if (!item.is_object() || names.size() == max) continue;
            const std::string_view id = runtime::text_member(item.get_object(), "id");
            if (!id.empty()) names.emplace_back(id);
        }
    }
    co_return names;
}

}  // namespace quire::providers
