#include "tests/contract/conformance_suite.hpp"

#include "base/clock.hpp"
#include "runtime/wakeup.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

namespace quire::test {
namespace {

using conformance::Conformance;
using conformance::v1::CountRequest;
using conformance::v1::EchoRequest;
using conformance::v1::EchoResponse;
using conformance::v1::Number;
using std::chrono::milliseconds;

constexpr milliseconds kSoon{250};  // a loaded machine's "at once"
constexpr std::int64_t kForever = 60'000;

rpc::CallContext context() {
    rpc::CallContext ctx;
    ctx.request_id = "req_01M84YTZVCKESBNN60DEPB1WMQ";
    ctx.principal.org_id = "org_1";
    ctx.principal.scopes = {"inference"};
    ctx.idempotency_key = "once";
    ctx.trace.trace_id.fill(7);
    ctx.trace.span_id.fill(9);
    return ctx;
}

/// Keeps what it gets; may be slow, and may end the producer after some messages.
class ListSink final : public rpc::Sink<Number> {
public:
    awaitable<Result<void>> write(const Number& message) override {
        ++open_writes;
        open_writes_max = std::max(open_writes_max, open_writes);
        if (pause.count() > 0) {
            const auto slept = co_await runtime::sleep_for(pause);
            if (!slept) {
                --open_writes;
                co_return slept.error();
            }
        }
        values.push_back(message.value());
        --open_writes;
        if (static_cast<std::int64_t>(values.size()) == refuse_after) {
            co_return Error(ErrorCode::kRequestTooLarge, "the reader has enough");
        }
        co_return Result<void>();
    }

    std::vector<std::int64_t> values;
    milliseconds pause{0};
    std::int64_t refuse_after = -1;
    int open_writes = 0;
    int open_writes_max = 0;
};

std::string expect(bool holds, std::string_view otherwise) {
    return holds ? "" : std::string(otherwise);
}

template <class T>
std::string describe(const Result<T>& result) {
    return result ? "a value"
                  : fmt::format("{}: {}", result.error().name(), result.error().message());
}

/// Runs `work` and cancels it after `after`; gives how long it took to end from then.
template <class T>
struct Cancelled {
    std::optional<Result<T>> result;
    milliseconds took{0};
};

template <class T>
awaitable<void> keep_result(awaitable<Result<T>> work, Cancelled<T>& out, runtime::Wakeup& ended) {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto result = co_await std::move(work);
    out.result.emplace(std::move(result));
    ended.notify();
}

template <class T>
awaitable<Cancelled<T>> cancel_after(milliseconds after, awaitable<Result<T>> work) {
    const auto executor = co_await asio::this_coro::executor;
    asio::cancellation_signal signal;
    runtime::Wakeup ended(executor);
    Cancelled<T> out;
    const auto on_end = [](const std::exception_ptr& escaped) {
        if (escaped) std::rethrow_exception(escaped);
    };
    asio::co_spawn(executor, keep_result(std::move(work), out, ended),
                   asio::bind_cancellation_slot(signal.slot(), on_end));
    const auto slept = co_await runtime::sleep_for(after);
    ignore(slept, "nobody cancels the test");
    const SteadyTime began = SystemClock().steady();
    signal.emit(asio::cancellation_type::terminal);
    const auto waited = co_await ended.wait();
    ignore(waited, "nobody cancels the test");
    out.took = std::chrono::duration_cast<milliseconds>(SystemClock().steady() - began);
    co_return out;
}

// Unary ---------------------------------------------------------------------------------------

awaitable<std::string> unary_answers(Conformance& port) {
    const rpc::CallContext ctx = context();
    EchoRequest request;
    request.set_text("größe 🐝");
    const auto answer = co_await port.echo(ctx, request);
    if (!answer) co_return describe(answer);
    co_return expect(answer->text() == "größe 🐝", "the text changed: " + answer->text());
}

awaitable<std::string> context_arrives(Conformance& port) {
    const rpc::CallContext ctx = context();
    const EchoRequest request;
    const auto answer = co_await port.echo(ctx, request);
    if (!answer) co_return describe(answer);
    const bool arrived = answer->request_id() == ctx.request_id && answer->org_id() == "org_1" &&
                         answer->idempotency_key() == "once" &&
                         answer->traceparent().substr(3, 32) == ctx.trace.trace_id_hex();
    co_return expect(arrived, "the callee saw another context: " + answer->ShortDebugString());
}

awaitable<std::string> errors_arrive_whole(Conformance& port) {
    const rpc::CallContext ctx = context();
    for (const ErrorRow& row : error_catalogue()) {
        EchoRequest request;
        request.set_fail_with(std::string(row.name));
        const auto answer = co_await port.echo(ctx, request);
        if (answer) co_return fmt::format("{} came as a value", row.name);
        const Error& error = answer.error();
        const bool is_whole =
            error.code() == row.code && error.retry_after() == milliseconds(1500) &&
            error.detail("limit") == "3" && error.detail("param") == "fail_with" &&
            error.message().find("ünïcode") != std::string::npos;
        if (!is_whole) co_return fmt::format("{} came as {}", row.name, describe(answer));
    }
    co_return "";
}

awaitable<std::string> large_messages_pass(Conformance& port) {
    const rpc::CallContext ctx = context();
    EchoRequest request;
    request.set_text(std::string(10 * 1024 * 1024, 'x'));
    const auto answer = co_await port.echo(ctx, request);
    if (!answer) co_return describe(answer);
    co_return expect(answer->text().size() == request.text().size(), "10 MiB did not come back");
}

awaitable<std::string> unary_cancel_ends_soon(Conformance& port) {
    const rpc::CallContext ctx = context();
    EchoRequest request;
    request.set_delay_ms(kForever);
    const auto seen = co_await cancel_after(milliseconds(20), port.echo(ctx, request));
    if (*seen.result) co_return "a cancelled call gave a value";
    if (seen.result->error().code() != ErrorCode::kCancelled) co_return describe(*seen.result);
    co_return expect(seen.took < kSoon, fmt::format("took {} ms to end", seen.took.count()));
}

// Server stream ---------------------------------------------------------------------------------

awaitable<std::string> stream_comes_in_order(Conformance& port) {
    const rpc::CallContext ctx = context();
    CountRequest request;
    request.set_count(1000);
    ListSink sink;
    const auto ended = co_await port.count(ctx, request, sink);
    if (!ended) co_return describe(ended);
    if (sink.values.size() != 1000) co_return fmt::format("{} of 1000 came", sink.values.size());
    for (std::size_t i = 0; i < sink.values.size(); ++i) {
        if (sink.values[i] != static_cast<std::int64_t>(i) + 1) co_return "out of order";
    }
    co_return "";
}

awaitable<std::string> empty_stream_ends(Conformance& port) {
    const rpc::CallContext ctx = context();
    const CountRequest request;
    ListSink sink;
    const auto ended = co_await port.count(ctx, request, sink);
    if (!ended) co_return describe(ended);
    co_return expect(sink.values.empty(), "messages came out of nothing");
}

awaitable<std::string> error_after_messages_keeps_them(Conformance& port) {
    const rpc::CallContext ctx = context();
    CountRequest request;
    request.set_count(3);
    request.set_fail_with("stream_interrupted");
    ListSink sink;
    const auto ended = co_await port.count(ctx, request, sink);
    if (ended) co_return "the error was lost";
    if (ended.error().code() != ErrorCode::kStreamInterrupted) co_return describe(ended);
    co_return expect(sink.values.size() == 3, "what came before the error was lost");
}

awaitable<std::string> reader_ends_producer(Conformance& port) {
    const rpc::CallContext ctx = context();
    CountRequest request;
    request.set_count(1'000'000);
    ListSink sink;
    sink.refuse_after = 5;
    const auto ended = co_await port.count(ctx, request, sink);
    if (ended) co_return "the producer did not return the reader's error";
    if (ended.error().code() != ErrorCode::kRequestTooLarge) co_return describe(ended);
    co_return expect(sink.values.size() == 5,
                     fmt::format("{} messages came after the reader's no", sink.values.size() - 5));
}

awaitable<std::string> slow_reader_stops_producer(Conformance& port) {
    const rpc::CallContext ctx = context();
    CountRequest request;
    request.set_count(40);
    ListSink sink;
    sink.pause = milliseconds(2);
    const SteadyTime began = SystemClock().steady();
    const auto ended = co_await port.count(ctx, request, sink);
    const auto took = SystemClock().steady() - began;
    if (!ended) co_return describe(ended);
    if (sink.open_writes_max != 1) {
        co_return fmt::format("{} writes were open at once", sink.open_writes_max);
    }
    if (sink.values.size() != 40) {
        co_return fmt::format("the producer ended {} messages ahead of its reader",
                              40 - sink.values.size());
    }
    co_return expect(took >= 40 * milliseconds(2), "the producer did not wait for its reader");
}

awaitable<std::string> stream_cancel_ends_soon(Conformance& port) {
    const rpc::CallContext ctx = context();
    CountRequest request;
    request.set_count(1'000'000);
    request.set_delay_ms(1);
    ListSink sink;
    const auto seen = co_await cancel_after(milliseconds(30), port.count(ctx, request, sink));
    if (*seen.result) co_return "a cancelled stream ended well";
    if (seen.result->error().code() != ErrorCode::kCancelled) co_return describe(*seen.result);
    if (seen.took >= kSoon) co_return fmt::format("took {} ms to end", seen.took.count());
    const std::size_t before = sink.values.size();
    const auto slept = co_await runtime::sleep_for(milliseconds(20));
    ignore(slept, "nobody cancels the test");
    co_return expect(sink.values.size() == before, "messages came after the end");
}

/// The reader is the one that waits: cancelling must reach through it.
awaitable<std::string> cancel_reaches_a_waiting_reader(Conformance& port) {
    const rpc::CallContext ctx = context();
    CountRequest request;
    request.set_count(2);
    ListSink sink;
    sink.pause = milliseconds(kForever);
    const auto seen = co_await cancel_after(milliseconds(20), port.count(ctx, request, sink));
    if (*seen.result) co_return "a cancelled stream ended well";
    if (seen.result->error().code() != ErrorCode::kCancelled) co_return describe(*seen.result);
    co_return expect(seen.took < kSoon, fmt::format("took {} ms to end", seen.took.count()));
}

// Deadline --------------------------------------------------------------------------------------

/// In one process the edge's timer cancels; a call that is made after the deadline must not hang.
awaitable<std::string> deadline_by_cancellation(Conformance& port) {
    rpc::CallContext ctx = context();
    ctx.deadline = SystemClock().steady() + milliseconds(30);
    EchoRequest request;
    request.set_delay_ms(kForever);
    const auto seen = co_await cancel_after(milliseconds(30), port.echo(ctx, request));
    if (*seen.result) co_return "a call ended well after its deadline";
    const ErrorCode code = seen.result->error().code();
    const bool is_right = code == ErrorCode::kCancelled || code == ErrorCode::kDeadlineExceeded;
    if (!is_right) co_return describe(*seen.result);
    co_return expect(seen.took < kSoon, fmt::format("took {} ms to end", seen.took.count()));
}

// Two-way ---------------------------------------------------------------------------------------

awaitable<std::string> session_answers_each_push(Conformance& port) {
    const rpc::CallContext ctx = context();
    auto opened = co_await port.sum(ctx);
    if (!opened) co_return describe(opened);
    const auto session = *std::move(opened);
    Number push;
    for (std::int64_t i = 1; i <= 100; ++i) {
        push.set_value(i);
        const auto answer = co_await session->exchange(push);
        if (!answer || answer->value() != i * (i + 1) / 2) {
            session->cancel();
            co_return fmt::format("push {} was answered by {}", i, describe(answer));
        }
    }
    const auto last = co_await session->finish();
    if (!last) co_return describe(last);
    co_return expect(last->value() == 5050, "the last answer is not the sum of all");
}

awaitable<std::string> session_finishes_without_pushes(Conformance& port) {
    const rpc::CallContext ctx = context();
    auto opened = co_await port.sum(ctx);
    if (!opened) co_return describe(opened);
    const auto session = *std::move(opened);
    const auto last = co_await session->finish();
    if (!last) co_return describe(last);
    co_return expect(last->value() == 0, "a sum of nothing");
}

awaitable<std::string> session_cancel_is_idempotent(Conformance& port) {
    const rpc::CallContext ctx = context();
    auto opened = co_await port.sum(ctx);
    if (!opened) co_return describe(opened);
    const auto session = *std::move(opened);
    session->cancel();
    session->cancel();
    const Number push;
    const auto answer = co_await session->exchange(push);
    if (answer) co_return "a cancelled session answers";
    co_return expect(answer.error().code() == ErrorCode::kCancelled, describe(answer));
}

}  // namespace

const std::vector<ConformanceCase>& conformance_cases() {
    static const std::vector<ConformanceCase> cases{
        {"UnaryAnswers", unary_answers},
        {"ContextArrives", context_arrives},
        {"ErrorsArriveWhole", errors_arrive_whole},
        {"LargeMessagesPass", large_messages_pass},
        {"UnaryCancelEndsSoon", unary_cancel_ends_soon},
        {"StreamComesInOrder", stream_comes_in_order},
        {"EmptyStreamEnds", empty_stream_ends},
        {"ErrorAfterMessagesKeepsThem", error_after_messages_keeps_them},
        {"ReaderEndsProducer", reader_ends_producer},
        {"SlowReaderStopsProducer", slow_reader_stops_producer},
        {"StreamCancelEndsSoon", stream_cancel_ends_soon},
        {"CancelReachesAWaitingReader", cancel_reaches_a_waiting_reader},
        {"DeadlineByCancellation", deadline_by_cancellation},
        {"SessionAnswersEachPush", session_answers_each_push},
        {"SessionFinishesWithoutPushes", session_finishes_without_pushes},
        {"SessionCancelIsIdempotent", session_cancel_is_idempotent},
    };
    return cases;
}

}  // namespace quire::test
