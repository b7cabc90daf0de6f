#include "tests/contract/inference_suite.hpp"

#include "runtime/wakeup.hpp"
#include "tests/support/chat_events.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>

namespace quire::test {
namespace {

using namespace std::chrono_literals;
using common::v1::ChatEvent;
using inference::Inference;
using inference::v1::GenerateRequest;
using enum ErrorCode;

providers::ProviderConfig simulator(std::chrono::milliseconds between_words) {
    providers::ProviderConfig config;
    config.kind = "sim";
    config.ttft = 0ms;
    config.itl = between_words;
    config.tokens = 6;
    return config;
}

providers::ModelConfig model_of(std::string provider, std::int64_t concurrency,
                                std::int64_t queue) {
    providers::ModelConfig config;
    config.provider = std::move(provider);
    config.context_tokens = 8192;
    config.max_output_tokens = 77;
    config.concurrency = concurrency;
    config.queue = queue;
    return config;
}

GenerateRequest ask(std::string model) {
    GenerateRequest request;
    request.mutable_request()->set_model(std::move(model));
    auto& message = *request.mutable_request()->add_messages();
    message.set_role("user");
    message.add_parts()->set_text("tell me more");
    return request;
}

rpc::CallContext a_request() {
    rpc::CallContext ctx;
    ctx.request_id = "req_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    ctx.trace.trace_id.fill(7);
    ctx.trace.span_id.fill(9);
    return ctx;
}

/// Takes `taken_max` events and then refuses.
class Impatient final : public rpc::Sink<ChatEvent> {
public:
    explicit Impatient(int taken_max) : left_(taken_max) {}
    awaitable<Result<void>> write(const ChatEvent&) override {
        if (left_-- > 0) co_return Result<void>();
        co_return Error(kReviewUnavailable, "enough");
    }

private:
    int left_;
};

/// Tells when the first text has come.
class Listening final : public rpc::Sink<ChatEvent> {
public:
    explicit Listening(runtime::Wakeup& heard) : heard_(heard) {}
    awaitable<Result<void>> write(const ChatEvent& event) override {
        if (event.has_delta()) heard_.notify();
        co_return Result<void>();
    }

private:
    runtime::Wakeup& heard_;
};

/// A call whose caller may leave: what it says then is nobody's.
awaitable<void> generate_until_left(Inference& port, const GenerateRequest& request,
                                    Listening& sink) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto ctx = a_request();
    const auto ended = co_await port.generate(ctx, request, sink);
    ignore(ended, "the caller has left, or the case sees that it has not");
}

awaitable<void> listen(runtime::Wakeup& heard) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto waited = co_await heard.wait();
    ignore(waited, "cancelled when the call ends first");
}

awaitable<void> ask_once(runtime::Wakeup& heard, Inference& port, const GenerateRequest& request,
                         Result<void>& ended) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto waited = co_await heard.wait();
    if (!waited) co_return;
    const auto ctx = a_request();
    ChatEvents events;
    ended = co_await port.generate(ctx, request, events);
}

/// How the second call of a model ends whose only place the first one keeps.
awaitable<Result<void>> ask_behind_another(Inference& port, std::string model) {
    using namespace asio::experimental::awaitable_operators;
    const auto executor = co_await asio::this_coro::executor;
    runtime::Wakeup heard(executor);
    Listening sink(heard);
    const auto request = ask(std::move(model));
    Result<void> ended;
    const auto first = co_await (generate_until_left(port, request, sink) ||
                                 ask_once(heard, port, request, ended));
    if (first.index() == 1) co_return ended;
    ignore(ended, "the first call ended before it");
    co_return Error(kInternalError, "the first call ended before the second");
}

awaitable<Result<void>> models_are_listed_in_their_order(Inference& port, Findings& found) {
    const rpc::CallContext ctx;
    const inference::v1::ListModelsRequest all;
    QUIRE_CO_TRY(const auto listed, port.list_models(ctx, all));
    std::string names;
    for (const auto& model : listed.models()) names += model.name() + " ";
    found.expect_same(names, "writer single stuck absent ", "names");
    if (listed.models().empty()) co_return Result<void>();
    const auto& writer = listed.models(0);
    found.expect_same(writer.provider(), "quick", "provider");
    found.expect(writer.context_tokens() == 8192, "another context");
    found.expect(writer.max_output_tokens() == 77, "another limit of output");
    found.expect(writer.created_at_us() > 1'700'000'000'000'000, "no time");
    co_return Result<void>();
}

awaitable<Result<void>> an_answer_starts_tells_and_ends(Inference& port, Findings& found) {
    const auto ctx = a_request();
    const auto request = ask("writer");
    ChatEvents events;
    const auto ended = co_await port.generate(ctx, request, events);
    if (!ended) co_return ended.error();
    found.expect(events.words.size() == 8, fmt::format("{} events", events.words.size()));
    if (events.words.size() != 8) co_return Result<void>();
    const auto& started = events.started();
    found.expect_same(events.words.front(), "started", "the first event");
    found.expect_same(started.model() + " " + started.provider(), "writer quick", "who answers");
    std::string steps;
    for (const auto& step : started.steps()) steps += step.name() + " ";
    found.expect_same(steps, "queue upstream first_token ", "steps");
    for (std::size_t i = 1; i < 7; ++i) {
        const auto& delta = events.all[i].delta();
        found.expect(
            !delta.text().empty() && delta.choice() == 0 && delta.channel() == common::v1::CONTENT,
            "no text: " + events.all[i].ShortDebugString());
    }
    const auto& finished = events.finished();
    found.expect_same(finished.finish_reason(), "stop", "the end");
    found.expect(finished.usage().input_tokens() == 4, "another count of input");
    found.expect(finished.usage().output_tokens() == 6, "another count of output");
    found.expect(!finished.usage().estimated(), "the provider's count is said to be a guess");
    co_return Result<void>();
}

awaitable<Result<void>> the_requests_limit_ends_it(Inference& port, Findings& found) {
    const auto ctx = a_request();
    auto request = ask("writer");
    request.mutable_request()->set_max_tokens(2);
    ChatEvents events;
    const auto ended = co_await port.generate(ctx, request, events);
    if (!ended) co_return ended.error();
    found.expect(events.words.size() == 4, fmt::format("{} events", events.words.size()));
    found.expect_same(events.finished().finish_reason(), "length", "the end");
    found.expect(events.finished().usage().output_tokens() == 2, "another count");
    co_return Result<void>();
}

awaitable<Result<void>> an_unknown_model_is_refused(Inference& port, Findings& found) {
    const auto ctx = a_request();
    const auto request = ask("writter");
    ChatEvents events;
    const auto ended = co_await port.generate(ctx, request, events);
    found.expect_refused(ended, kModelNotFound, "writter", "model");
    found.expect(events.words.empty(), "it told something");
    co_return Result<void>();
}

awaitable<Result<void>> an_upstream_that_is_not_there_is_an_error(Inference& port,
                                                                  Findings& found) {
    const auto ctx = a_request();
    const auto request = ask("absent");
    ChatEvents events;
    const auto ended = co_await port.generate(ctx, request, events);
    found.expect_refused(ended, kUpstreamError, "absent");
    const std::vector<std::string> told{"unanswered queue upstream"};
    found.expect(events.words == told, "it does not tell what was waited for");
    if (ended) co_return Result<void>();
    const std::string_view why = ended.error().message();
    found.expect(why.find("127.0.0.1") == why.npos, fmt::format("it tells where: {}", why));
    co_return Result<void>();
}

awaitable<Result<void>> the_readers_refusal_ends_it(Inference& port, Findings& found) {
    const auto ctx = a_request();
    const auto request = ask("writer");
    for (int taken = 0; taken < 8; ++taken) {
        Impatient reader(taken);
        const auto ended = co_await port.generate(ctx, request, reader);
        found.expect_refused(ended, kReviewUnavailable, fmt::format("after {}", taken));
    }
    co_return Result<void>();
}

awaitable<Result<void>> where_nobody_may_wait_one_more_is_refused(Inference& port,
                                                                  Findings& found) {
    const auto ended = co_await ask_behind_another(port, "single");
    found.expect_refused(ended, kQueueFull, "one more");
    if (ended) co_return Result<void>();
    found.expect(ended.error().retry_after() >= 1s, "it does not say when to come back");
    co_return Result<void>();
}

awaitable<Result<void>> a_wait_ends(Inference& port, Findings& found) {
    const auto ended = co_await ask_behind_another(port, "stuck");
    found.expect_refused(ended, kQueueTimeout, "the one that waits");
    co_return Result<void>();
}

awaitable<Result<void>> who_leaves_frees_the_place(Inference& port, Findings& found) {
    using namespace asio::experimental::awaitable_operators;
    const auto executor = co_await asio::this_coro::executor;
    const auto request = ask("stuck");
    for (int caller = 0; caller < 3; ++caller) {
        runtime::Wakeup heard(executor);
        Listening sink(heard);
        const auto first = co_await (generate_until_left(port, request, sink) || listen(heard));
        found.expect(first.index() == 1, fmt::format("caller {} got no place", caller));
    }
    co_return Result<void>();
}

}  // namespace

inference::InferenceConfig inference_contract_config() {
    inference::InferenceConfig config;
    config.queue_wait = 1s;  // also what the wire may take to tell that a caller has left
    config.catalog.providers.emplace_back("quick", simulator(0ms));
    config.catalog.providers.emplace_back("slow", simulator(1h));
    providers::ProviderConfig nobody;
    nobody.kind = "openai";
    nobody.base_url = "http://127.0.0.1:1/v1";
    config.catalog.providers.emplace_back("nobody", nobody);
    config.catalog.models.emplace_back("writer", model_of("quick", 8, 8));
    config.catalog.models.emplace_back("single", model_of("slow", 1, 0));
    config.catalog.models.emplace_back("stuck", model_of("slow", 1, 1));
    config.catalog.models.emplace_back("absent", model_of("nobody", 8, 8));
    return config;
}

std::vector<InferenceCase> inference_cases() {
    return {
        {"ModelsAreListedInTheirOrder", models_are_listed_in_their_order},
        {"AnAnswerStartsTellsAndEnds", an_answer_starts_tells_and_ends},
        {"TheRequestsLimitEndsIt", the_requests_limit_ends_it},
        {"AnUnknownModelIsRefused", an_unknown_model_is_refused},
        {"AnUpstreamThatIsNotThereIsAnError", an_upstream_that_is_not_there_is_an_error},
        {"TheReadersRefusalEndsIt", the_readers_refusal_ends_it},
        {"WhereNobodyMayWaitOneMoreIsRefused", where_nobody_may_wait_one_more_is_refused},
        {"AWaitEnds", a_wait_ends},
        {"WhoLeavesFreesThePlace", who_leaves_frees_the_place},
    };
}

}  // namespace quire::test
