#include "providers/sim/sim_server.hpp"

#include "providers/chat_json.hpp"
#include "providers/sim/simulated_text.hpp"
#include "runtime/sse.hpp"

#include <fmt/format.h>

namespace quire::providers {
namespace {

constexpr std::size_t kBodyMax = 10 * 1024 * 1024;
constexpr std::string_view kModels =
    R"({"object":"list","data":[{"id":"sim","object":"model","created":0,"owned_by":"quire"}]})";

http::Response json_response(int status, std::string body) {
    http::Response response;
    response.status = status;
    response.content_type = "application/json";
    response.body = std::move(body);
    return response;
}

std::string error_body(const Error& error) {
    return fmt::format(R"({{"error":{{"message":{},"type":"{}","param":null,"code":"{}"}}}})",
                       runtime::json_string(error.message()), error.row().openai_type,
                       error.name());
}

}  // namespace

struct SimServer::Chat {
    std::string id;
    std::string model;
    std::int64_t created = 0;
    bool has_usage_chunk = false;
    std::string usage;
    SimulatedText text;

    std::string chunk(std::string_view delta, std::string_view finish_reason) const {
        const std::string reason =
            finish_reason.empty() ? "null" : runtime::json_string(finish_reason);
        return fmt::format(
            R"({{"id":"{}","object":"chat.completion.chunk","created":{},"model":{},)"
            R"("choices":[{{"index":0,"delta":{},"logprobs":null,)"
            R"("finish_reason":{}}}]{}}})",
            id, created, runtime::json_string(model), delta, reason,
            has_usage_chunk ? R"(,"usage":null)" : "");
    }
};

SimServer::SimServer(SimServerOptions options, const Clock& clock)
    : options_(options), clock_(clock), rng_(options.seed) {}

SimServer::~SimServer() = default;

awaitable<void> SimServer::handle(http::Exchange& exchange) {
    const http::RequestHead& head = exchange.head();
    Result<void> done;
    if (head.method == "GET" && head.path == "/v1/models") {
        done = co_await exchange.respond(json_response(200, std::string(kModels)));
    } else if (head.method == "GET" && head.path == "/healthz") {
        done = co_await exchange.respond(json_response(200, R"({"status":"ok"})"));
    } else if (head.method == "POST" && head.path == "/v1/chat/completions") {
        done = co_await complete(exchange);
    } else {
        done =
            Error(ErrorCode::kNotFound, "the simulator serves /v1/chat/completions and /v1/models");
    }
    if (!done && !exchange.is_answered() && done.error().code() != ErrorCode::kCancelled) {
        const int status = done.error().row().http_status;
        const auto sent =
            co_await exchange.respond(json_response(status, error_body(done.error())));
        ignore(sent, "the client has left");
    }
}

awaitable<Result<void>> SimServer::complete(http::Exchange& exchange) {
    QUIRE_CO_TRY(const std::string_view text, exchange.read_body(kBodyMax));
    const auto parsed = runtime::parse_json(text);
    if (!parsed) co_return parsed.error();
    if (!parsed->is_object()) co_return Error(ErrorCode::kInvalidJson, "the body is no object");
    const json::object& body = parsed->get_object();
    const auto request = read_chat_request(body);
    if (!request) co_return request.error();
    if (happens(options_.fail_rate)) {
        co_return Error(ErrorCode::kInternalError, "a simulated failure (--fail-rate)");
    }
    SimulatedText::Options options;
    options.seed = options_.seed ^ static_cast<std::uint64_t>(request->seed());
    options.tokens = options_.tokens;
    if (request->has_max_tokens()) options.tokens_max = request->max_tokens();
    if (request->has_max_completion_tokens()) {
        options.tokens_max = request->max_completion_tokens();
    }
    options.stop.assign(request->stop().begin(), request->stop().end());
    const std::string prompt = plain_text_of(*request);

    Chat chat{
        "", request->model(), clock_.now().seconds(), false, "", SimulatedText(prompt, options)};
    {
        const std::lock_guard lock(mutex_);
        chat.id = fmt::format("chatcmpl-sim-{}", ++answers_);
    }
    const auto output = static_cast<std::int64_t>(chat.text.tokens().size());
    const std::int64_t input = count_words(prompt);
    chat.usage = fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{}}})",
                             input, output, input + output);
    const json::value* options_value = runtime::find_member(body, "stream_options");
    if (options_value != nullptr && options_value->is_object()) {
        const json::value* wanted =
            runtime::find_member(options_value->get_object(), "include_usage");
        chat.has_usage_chunk = wanted != nullptr && *wanted == true;
    }
    const json::value* stream = runtime::find_member(body, "stream");
    if (stream != nullptr && *stream == true) co_return co_await answer_stream(exchange, chat);
    co_return co_await answer_plain(exchange, chat);
}

awaitable<Result<void>> SimServer::answer_plain(http::Exchange& exchange, const Chat& chat) {
    const auto pause = options_.ttft + options_.itl * static_cast<int>(chat.text.tokens().size());
    const auto slept = co_await runtime::sleep_for(pause);
    if (!slept) co_return slept.error();
    std::string content;
    for (const std::string& token : chat.text.tokens()) content += token;
    http::Response response = json_response(
        200, fmt::format(R"({{"id":"{}","object":"chat.completion","created":{},"model":{},)"
                         R"("choices":[{{"index":0,"message":{{"role":"assistant","content":{},)"
                         R"("refusal":null}},"logprobs":null,"finish_reason":"{}"}}],"usage":{}}})",
                         chat.id, chat.created, runtime::json_string(chat.model),
                         runtime::json_string(content), chat.text.finish_reason(), chat.usage));
    co_return co_await exchange.respond(std::move(response));
}

awaitable<Result<void>> SimServer::answer_stream(http::Exchange& exchange, const Chat& chat) {
    const std::vector<std::string>& tokens = chat.text.tokens();
    const std::size_t cut_at = happens(options_.cut_rate) ? tokens.size() / 2 : tokens.size() + 1;
    const auto slept = co_await runtime::sleep_for(options_.ttft);
    if (!slept) co_return slept.error();
    http::Response head;
    head.content_type = "text/event-stream; charset=utf-8";
    head.headers = {{"cache-control", "no-cache, no-transform"}};
    const auto begun = co_await exchange.begin_stream(std::move(head));
    if (!begun) co_return begun.error();
    std::string out;
    runtime::append_sse_json(out, chat.chunk(R"({"role":"assistant","content":""})", ""));
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (i == cut_at) {
            exchange.cut_stream();
            co_return Result<void>();
        }
        if (i > 0 && options_.itl.count() > 0) {
            const auto rested = co_await runtime::sleep_for(options_.itl);
            if (!rested) co_return rested.error();
        }
        const std::string delta =
            fmt::format(R"({{"content":{}}})", runtime::json_string(tokens[i]));
        runtime::append_sse_json(out, chat.chunk(delta, ""));
        const auto written = co_await exchange.write(out);
        if (!written) co_return written.error();
        out.clear();
    }
    runtime::append_sse_json(out, chat.chunk("{}", chat.text.finish_reason()));
    if (chat.has_usage_chunk) {
        runtime::append_sse_json(
            out, fmt::format(R"({{"id":"{}","object":"chat.completion.chunk","created":{},)"
                             R"("model":{},"choices":[],"usage":{}}})",
                             chat.id, chat.created, runtime::json_string(chat.model), chat.usage));
    }
    out += "data: [DONE]\n\n";
    const auto written = co_await exchange.write(out);
    if (!written) co_return written.error();
    co_return co_await exchange.finish_stream();
}

bool SimServer::happens(double rate) {
    if (rate <= 0) return false;
    const std::lock_guard lock(mutex_);
    return rng_.next_unit() < rate;
}

}  // namespace quire::providers
