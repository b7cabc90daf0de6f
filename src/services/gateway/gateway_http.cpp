#include "services/gateway/gateway_http.hpp"

#include "base/id.hpp"
#include "base/text.hpp"
#include "runtime/http/problem.hpp"
#include "runtime/http/url.hpp"
#include "runtime/log.hpp"
#include "services/gateway/gateway_errors.hpp"

#include <fmt/format.h>

namespace quire::gateway {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

constexpr int kClientClosedRequest = 499;  // nginx's number, for metrics only
const prometheus::Histogram::BucketBoundaries kDurationBuckets{
    .005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 30, 60, 120};

/// `Authorization: Bearer K`, or the aliases of Azure and Anthropic clients.
std::string_view key_of(const http::RequestHead& head) {
    std::string_view value = head.header("authorization");
    if (!value.empty()) {
        constexpr std::string_view kBearer = "bearer ";
        if (value.size() <= kBearer.size() ||
            !http::equals_ignoring_case(value.substr(0, kBearer.size()), kBearer)) {
            return "";
        }
        return http::trimmed(value.substr(kBearer.size()));
    }
    value = head.header("api-key");
    return value.empty() ? head.header("x-api-key") : value;
}

Result<void> check_media_type(const http::RequestHead& head) {
    const std::string_view encoding = head.header("content-encoding");
    if (!encoding.empty() && !http::equals_ignoring_case(encoding, "identity")) {
        return Error(
            ErrorCode::kUnsupportedMediaType,
            fmt::format("content-encoding '{}' is not taken; send plain JSON", excerpt(encoding)));
    }
    const std::string_view type = head.header("content-type");
    const std::string_view essence = http::trimmed(type.substr(0, type.find(';')));
    if (http::equals_ignoring_case(essence, "application/json")) return {};
    return Error(ErrorCode::kUnsupportedMediaType,
                 fmt::format("content-type is '{}'; send application/json", excerpt(type)));
}

/// What an error means at the edge: a cancelled handler's by the reason of the cancellation, an
/// answer that broke off as a plain status when nothing of it was sent.
Error meaning_of(const Error& error, http::CancelReason reason, bool is_answered) {
    if (error.code() == ErrorCode::kStreamInterrupted && !is_answered) {
        return {ErrorCode::kUpstreamError, error.message()};
    }
    if (error.code() == ErrorCode::kSettleFailed && !is_answered) {
        return {ErrorCode::kStorageUnavailable, error.message()};
    }
    return http::cancelled_by(reason, error);
}

/// What is paid for, now or later, is not to be repeated by a library: it would pay twice.
Error as_answer(const Error& error, http::CancelReason reason, bool is_answered) {
    Error answer = meaning_of(error, reason, is_answered);
    if (error.is_paid()) return std::move(answer).as_paid();
    return answer;
}

/// What libraries ask for that know more of OpenAI's API, or a wrong base URL.
std::string_view hint_for(std::string_view path) {
    if (path.starts_with("/v1/responses")) {
        return "; use /v1/chat/completions (.chat() of the AI SDK's OpenAI provider)";
    }
    if (path == "/chat/completions" || path.starts_with("/v1/v1/")) {
        return "; the base URL of a library ends in one /v1";
    }
    return "";
}

/// The labels of a request, from closed sets: what comes from outside is no label.
std::string_view path_label(const Route* route) {
    return route == nullptr ? "unknown" : route->path;
}

/// One entry of Server-Timing, in milliseconds.
void append_timing(std::string& out, std::string_view name, std::int64_t micros) {
    const fmt::format_int millis(micros / 1000);
    const fmt::format_int rest(1000 + micros % 1000);
    out += name;
    out += ";dur=";
    out.append(millis.data(), millis.size());
    out += '.';
    out.append(rest.data() + 1, 3);
}

}  // namespace

Result<void> GatewayCall::authorize() {
    is_authorized = true;
    return rpc::check_access(*method, ctx.principal);
}

common::v1::Step GatewayCall::auth_step() const {
    common::v1::Step step;
    step.set_name("auth");
    step.set_duration_us(auth_took.count());
    return step;
}

std::string GatewayCall::path_parameter(std::size_t index) const {
    return http::percent_decode(path_parameters.at(index)).value_or("");
}

awaitable<Result<void>> GatewayCall::respond_json(int http_status, std::string json_text) {
    status = http_status;
    http::Response response;
    response.status = http_status;
    if (!json_text.empty()) response.content_type = "application/json";
    response.body = std::move(json_text);
    add_headers(response, {});
    if (is_replayed) response.headers.emplace_back("idempotent-replayed", "true");
    co_return co_await exchange.respond(std::move(response));
}

void GatewayCall::release_body() {
    body.drop();
    raw_body = {};
    exchange.release_body();
}

void GatewayCall::add_headers(
    http::Response& response,
    const google::protobuf::RepeatedPtrField<common::v1::Step>& steps) const {
    response.headers.emplace_back("x-request-id", ctx.request_id);
    add_openai_version(response, exchange.head().path);
    std::string timing;
    append_timing(timing, "auth", auth_took.count());
    for (const common::v1::Step& step : steps) {
        timing += ", ";
        append_timing(timing, step.name(), step.duration_us());
    }
    response.headers.emplace_back("server-timing", std::move(timing));
}

void add_replay_headers(http::Response& response) {
    response.headers.emplace_back("x-quire-cost", "0");
    response.headers.emplace_back("idempotent-replayed", "true");
}

GatewayHttp::GatewayHttp(Deps deps, const GatewayConfig& config)
    : deps_(deps),
      config_(config),
      in_flight_(runtime::gauge_family("quire_inflight_requests", "Requests being served.")
                     .Add({{"service", "gateway"}})),
      duration_(runtime::histogram_family("quire_http_request_duration_seconds",
                                          "Time to the last byte of an answer.")
                    .Add({{"service", "gateway"}}, kDurationBuckets)) {
    for (const Route& route : all_routes()) {
        const rpc::Method* method = deps_.methods.find(route.method);
        QUIRE_ASSERT(method != nullptr, "every route names a method of a running service");
        methods_.emplace(&route, method);
    }
}

awaitable<void> GatewayHttp::handle(http::Exchange& exchange) {
    const runtime::GaugeGuard in_flight(in_flight_);
    GatewayCall call(exchange, make_context(exchange.head()), deps_.clock.steady());
    const http::RequestHead& head = exchange.head();
    const RouteMatch match = find_route(head.method, head.path);
    const auto served = co_await serve(call, match);
    int status = call.status;
    if (!served) {
        const Error error =
            as_answer(served.error(), exchange.cancel_reason(), exchange.is_answered());
        const bool has_left = error.code() == ErrorCode::kCancelled;
        status = has_left                     ? kClientClosedRequest
                 : call.has_begun_answering() ? call.status
                                              : http::status_of(error);
        if (has_left) {
            exchange.cut_stream();
        } else {
            co_await answer_error(call, error);
            if (http::status_of(error) < 500) {
                log_refusal(call.ctx.request_id, call.ctx.trace.trace_id_hex(), match.route, error);
            }
        }
    }
    count(match.route, head.method, status);
    const auto took = deps_.clock.steady() - call.began;
    duration_.Observe(std::chrono::duration<double>(took).count());
    QUIRE_LOG(debug, "request", {"request_id", call.ctx.request_id},
              {"trace_id", call.ctx.trace.trace_id_hex()}, {"method", head.method},
              {"path", head.path}, {"status", status},
              {"micros", duration_cast<microseconds>(took).count()});
}

awaitable<Result<void>> GatewayHttp::serve(GatewayCall& call, const RouteMatch& match) {
    const http::RequestHead& head = call.exchange.head();
    if (is_draining_) {
        co_return Error(ErrorCode::kShuttingDown, "the process is stopping; retry");
    }
    if (match.route == nullptr && !match.allowed.empty()) {
        co_return Error(
            ErrorCode::kMethodNotAllowed,
            fmt::format("{} is not offered here; use {}", excerpt(head.method), match.allowed))
            .with_detail("allow", match.allowed);
    }
    if (match.route == nullptr) {
        co_return Error(ErrorCode::kNotFound, fmt::format("there is no path {}{}",
                                                          excerpt(head.path), hint_for(head.path)));
    }
    call.path_parameters = match.parameters;
    call.method = methods_.at(match.route);
    call.ctx.deadline = call.began + config_.request_deadline;
    call.exchange.set_deadline(call.ctx.deadline);
    const auto authenticated = co_await authenticate(call);
    if (!authenticated) co_return authenticated.error();
    co_return co_await call_handler(call, *match.route);
}

awaitable<Result<void>> GatewayHttp::authenticate(GatewayCall& call) {
    const std::string_view key = key_of(call.exchange.head());
    if (key.empty()) {
        co_return Error(ErrorCode::kInvalidApiKey,
                        "no API key was given; send 'Authorization: Bearer qk_live_…'");
    }
    QUIRE_CO_TRY(const auto principal, deps_.principals.find(call.ctx, key));
    call.ctx.principal = *principal;
    call.auth_took = duration_cast<microseconds>(deps_.clock.steady() - call.began);
    co_return Result<void>();
}

awaitable<Result<void>> GatewayHttp::call_handler(GatewayCall& call, const Route& route) {
    if (route.takes_body) {
        const auto typed = check_media_type(call.exchange.head());
        if (!typed) co_return typed.error();
        const auto bytes_max = static_cast<std::size_t>(config_.body_bytes_max);
        QUIRE_CO_TRY(const std::string_view text, call.exchange.read_body(bytes_max));
        call.raw_body = text;
        const auto parsed = call.body.parse(text);
        if (!parsed) co_return parsed.error();
    }
    auto handled = co_await (deps_.api.*route.handler)(call);
    QUIRE_ASSERT(!handled || call.is_authorized, "every handler checks the scope");
    co_return handled;
}

awaitable<void> GatewayHttp::answer_error(GatewayCall& call, Error error) {
    co_await call.exchange.accept_cancellation();
    const std::string trace_id = call.ctx.trace.trace_id_hex();
    const bool is_ours = error.row().http_status >= 500 || error.row().http_status == 0;
    if (is_ours && error.code() != ErrorCode::kShuttingDown) {
        QUIRE_LOG(warn, "request failed", {"request_id", call.ctx.request_id},
                  {"trace_id", trace_id}, {"code", error.name()}, {"why", error.message()});
    }
    if (call.exchange.is_answered()) {
        // The 200 is out: an error event is the last one, and no [DONE] follows.
        const std::string event =
            error_event(error, call.exchange.head().path, call.ctx.request_id, trace_id);
        const auto written = co_await call.exchange.write(event);
        ignore(written, "the client has left meanwhile");
        const auto ended = co_await call.exchange.finish_stream();
        ignore(ended, "the client has left meanwhile");
        co_return;
    }
    http::Response response =
        error_response(error, call.exchange.head().path, call.ctx.request_id, trace_id);
    if (error.code() == ErrorCode::kMethodNotAllowed) {
        response.headers.emplace_back("allow", error.detail("allow"));
    }
    const auto sent = co_await call.exchange.respond(std::move(response));
    ignore(sent, "the client has left meanwhile");
}

rpc::CallContext GatewayHttp::make_context(const http::RequestHead& head) {
    rpc::CallContext ctx;
    ctx.request_id = make_id("req", deps_.clock.now(), deps_.rng);
    const auto parent = runtime::parse_traceparent(head.header("traceparent"));
    if (parent) {
        ctx.trace = parent->child(deps_.rng);
        ctx.trace.tracestate = runtime::clean_tracestate(head.header("tracestate"));
    } else {
        ctx.trace = runtime::new_trace(deps_.rng);
    }
    ctx.retries = std::make_shared<rpc::RetryBudget>(static_cast<int>(config_.retries));
    ctx.idempotency_key = head.header("idempotency-key");
    return ctx;
}

/// Neither message nor path: both may quote what the client sent.
void GatewayHttp::log_refusal(std::string_view request_id, std::string_view trace_id,
                              const Route* route, const Error& error) {
    const auto left_out = refusals_.take(deps_.clock.steady());
    if (!left_out) return;
    QUIRE_LOG(info, "request refused", {"request_id", request_id}, {"trace_id", trace_id},
              {"route", path_label(route)}, {"code", error.name()}, {"left_out", *left_out});
}

http::Response GatewayHttp::malformed(const Error& error, std::string_view target) {
    const std::string request_id = make_id("req", deps_.clock.now(), deps_.rng);
    const std::string_view path = target.substr(0, target.find('?'));
    const std::string trace_id = runtime::new_trace(deps_.rng).trace_id_hex();
    log_refusal(request_id, trace_id, nullptr, error);
    count(nullptr, "", http::status_of(error));
    return error_response(error, path.empty() ? "/v1" : path, request_id, trace_id);
}

void GatewayHttp::count(const Route* route, std::string_view verb, int status) {
    static auto& family =
        runtime::counter_family("quire_http_requests_total", "Requests by route and status.");
    // Looking a counter up by its labels costs more than counting; each loop remembers its own.
    thread_local std::map<std::pair<const Route*, int>, prometheus::Counter*> known;
    prometheus::Counter*& counter = known[{route, status}];
    if (counter == nullptr) {
        // The path of an unknown route comes from outside and must not become a label.
        counter = &family.Add({{"service", "gateway"},
                               {"route", std::string(path_label(route))},
                               {"method", route == nullptr ? "unknown" : std::string(verb)},
                               {"code", std::to_string(status)}});
    }
    counter->Increment();
}

}  // namespace quire::gateway
