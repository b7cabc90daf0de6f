// What a call costs in this process and over the wire, both ends counted:
//   binding_bench serve FOLDER           prints its addresses as JSON, ends when its input does
//   binding_bench direct SECONDS
//   binding_bench call ADDRESS PID SECONDS   ADDRESS: a Unix socket's path, or a port on loopback
// Prints one JSON object per measurement.
#include "quire/conformance/v1/conformance_rpc.hpp"
#include "runtime/event_loops.hpp"
#include "runtime/rpc/wire/wire_server.hpp"
#include "runtime/task_group.hpp"
#include "runtime/wakeup.hpp"
#include "tests/bench/both_ends.hpp"
#include "tests/support/resident.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <deque>

namespace {

using namespace quire;
using namespace std::chrono_literals;
using conformance::Conformance;
using conformance::v1::CountRequest;
using conformance::v1::EchoRequest;
using conformance::v1::EchoResponse;
using conformance::v1::Number;
using Seconds = std::chrono::duration<double>;

constexpr std::int64_t kPaceMillis = 5;
constexpr std::int64_t kForever = 600'000;
constexpr int kOpenStreams = 4000;
constexpr int kCancelledCalls = 1000;
constexpr std::string_view kAskCancelled = "cancelled?";

const SystemClock kClock;

double now() { return Seconds(kClock.steady().time_since_epoch()).count(); }

template <class T>
T must(Result<T> result) {
    if (!result) {
        fmt::print(stderr, "binding_bench: {}\n", result.error().message());
        std::exit(1);
    }
    return *std::move(result);
}

void must(const Result<void>& result) {
    if (result) return;
    fmt::print(stderr, "binding_bench: {}\n", result.error().message());
    std::exit(1);
}

// The service
// --------------------------------------------------------------------------------------

class SumSession final : public rpc::Session<Number, Number> {
public:
    awaitable<Result<Number>> exchange(const Number& message) override {
        sum_.set_value(sum_.value() + message.value());
        co_return sum_;
    }
    awaitable<Result<Number>> finish() override { co_return sum_; }
    void cancel() override {}

private:
    Number sum_;
};

/// As little as a method can do, so that what is measured is the way to it.
class LeastService final : public Conformance {
public:
    awaitable<Result<EchoResponse>> echo(const rpc::CallContext& /*ctx*/,
                                         const EchoRequest& request) override {
        if (request.delay_ms() > 0) {
            const auto slept =
                co_await runtime::sleep_for(std::chrono::milliseconds(request.delay_ms()));
            if (!slept) {
                ++cancelled_;
                cancelled_at_ = now();
                co_return slept.error();
            }
        }
        EchoResponse response;
        response.set_text(request.text());
        if (request.text() == kAskCancelled) {
            response.set_text(fmt::format("{:.9f}", cancelled_at_));
            response.set_org_id(std::to_string(cancelled_));
        }
        co_return response;
    }
    awaitable<Result<void>> count(const rpc::CallContext& /*ctx*/, const CountRequest& request,
                                  rpc::Sink<Number>& sink) override {
        Number number;
        for (std::int64_t i = 1; i <= request.count(); ++i) {
            if (request.delay_ms() > 0) {
                const auto slept =
                    co_await runtime::sleep_for(std::chrono::milliseconds(request.delay_ms()));
                if (!slept) co_return slept.error();
            }
            number.set_value(i);
            const auto written = co_await sink.write(number);
            if (!written) co_return written.error();
        }
        co_return Result<void>();
    }
    awaitable<Result<std::unique_ptr<rpc::Session<Number, Number>>>> sum(
        const rpc::CallContext& /*ctx*/) override {
        std::unique_ptr<rpc::Session<Number, Number>> session = std::make_unique<SumSession>();
        co_return session;
    }

private:
    int cancelled_ = 0;
    double cancelled_at_ = 0;
};

int serve(const std::string& folder) {
    SystemRng rng;
    runtime::EventLoops loops(1);
    LeastService service;
    rpc::MethodRegistry registry;
    registry.add(conformance::conformance_methods(service));
    rpc::WireServer server(loops, registry, kClock, rng);
    rpc::WireAddress address;
    address.tcp = {"127.0.0.1", 0};
    must(server.listen(address));
    address.unix_path = folder + "/wire.sock";
    must(server.listen(address));
    fmt::print("{{\"unix\":\"{}\",\"port\":{}}}\n", address.unix_path, server.port());
    std::fflush(stdout);
    while (std::getchar() != EOF) continue;
    server.stop();
    return 0;
}

// The load
// -----------------------------------------------------------------------------------------

/// What a call of a request carries.
rpc::CallContext context() {
    rpc::CallContext ctx;
    ctx.request_id = "req_01M84YTZVCKESBNN60DEPB1WMQ";
    ctx.principal = {"org_01M84YTZVCKESBNN60DEPB1WMQ",
                     "prj_01M84YTZVCKESBNN60DEPB1WMQ",
                     "usr_01M84YTZVCKESBNN60DEPB1WMQ",
                     "key_01M84YTZVCKESBNN60DEPB1WMQ",
                     {"inference"}};
    ctx.deadline = kClock.steady() + 10min;
    ctx.trace.trace_id.fill(7);
    ctx.trace.span_id.fill(9);
    return ctx;
}

class CountingSink final : public rpc::Sink<Number> {
public:
    awaitable<Result<void>> write(const Number& /*message*/) override {
        ++messages;
        co_return Result<void>();
    }
    std::size_t messages = 0;
};

/// Where the load goes, and for how long.
struct Load {
    Conformance& port;
    asio::io_context& loop;
    pid_t server;  ///< 0: the calls stay in this process
    double seconds;
    SteadyTime end{};

    bool is_over() const { return kClock.steady() >= end; }
    std::chrono::milliseconds pace() const {
        return std::chrono::milliseconds(server == 0 ? 0 : kPaceMillis);
    }
};

/// One of many callers. `units` is what its work is counted in.
struct Caller {
    const Load& load;
    std::size_t units = 0;
    std::vector<double> waits{};

    awaitable<void> unary();
    awaitable<void> stream();
    awaitable<void> two_way();
    awaitable<void> requests();
    awaitable<void> coalesced_requests();

private:
    awaitable<void> count(const rpc::CallContext& ctx, std::int64_t messages, std::int64_t pace);
    awaitable<void> exchange(const rpc::CallContext& ctx, std::int64_t pushes, std::int64_t pace);
    awaitable<void> request(std::int64_t messages, std::int64_t pace);
};

EchoRequest ordinary_request() {
    EchoRequest request;
    request.set_text(
        "one hundred bytes of an ordinary message, as the calls of a request between "
        "services carry them ..");
    return request;
}

awaitable<void> Caller::unary() {
    const rpc::CallContext ctx = context();
    const EchoRequest request = ordinary_request();
    const int at_once = load.server == 0 ? 256 : 1;  // so that the clock costs nothing
    while (!load.is_over()) {
        const double before = now();
        for (int i = 0; i < at_once; ++i) {
            auto answer = co_await load.port.echo(ctx, request);
            must(std::move(answer));
        }
        waits.push_back((now() - before) / at_once);
        units += static_cast<std::size_t>(at_once);
    }
}

awaitable<void> Caller::count(const rpc::CallContext& ctx, std::int64_t messages,
                              std::int64_t pace) {
    CountRequest request;
    request.set_count(messages);
    request.set_delay_ms(pace);
    CountingSink sink;
    const auto ended = co_await load.port.count(ctx, request, sink);
    must(ended);
    units += sink.messages;
}

awaitable<void> Caller::stream() {
    const rpc::CallContext ctx = context();
    while (!load.is_over()) co_await count(ctx, 200, load.pace().count());
}

awaitable<void> Caller::exchange(const rpc::CallContext& ctx, std::int64_t pushes,
                                 std::int64_t pace) {
    auto opened = co_await load.port.sum(ctx);
    const auto session = must(std::move(opened));
    Number push;
    push.set_value(1);
    for (std::int64_t i = 0; i < pushes; ++i) {
        if (pace > 0) {
            const auto slept = co_await runtime::sleep_for(std::chrono::milliseconds(pace));
            must(slept);
        }
        auto answer = co_await session->exchange(push);
        must(std::move(answer));
        ++units;
    }
    auto last = co_await session->finish();
    must(std::move(last));
}

awaitable<void> Caller::two_way() {
    const rpc::CallContext ctx = context();
    while (!load.is_over()) co_await exchange(ctx, 200, load.pace().count());
}

/// What a streamed generation is made of: four unary calls, two streams and a two-way stream.
awaitable<void> Caller::request(std::int64_t messages, std::int64_t pace) {
    const rpc::CallContext ctx = context();
    const EchoRequest question = ordinary_request();
    for (int i = 0; i < 4; ++i) {
        auto answer = co_await load.port.echo(ctx, question);
        must(std::move(answer));
    }
    for (int i = 0; i < 2; ++i) co_await count(ctx, messages, pace);
    co_await exchange(ctx, messages, pace);
}

awaitable<void> Caller::requests() {
    std::size_t done = 0;
    while (!load.is_over()) {
        co_await request(40, load.pace().count());
        units = ++done;
    }
}

awaitable<void> Caller::coalesced_requests() {
    std::size_t done = 0;
    while (!load.is_over()) {
        co_await request(10, 4 * load.pace().count());
        units = ++done;
    }
}

void measure(std::string_view what, Load load, int in_flight, awaitable<void> (Caller::*work)()) {
    runtime::TaskGroup tasks;
    std::deque<Caller> callers;
    const SteadyTime start = kClock.steady();
    load.end = start + std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(load.seconds));
    const bench::BothEnds cpu(load.server);
    for (int i = 0; i < in_flight; ++i) {
        callers.push_back({load});
        tasks.spawn(load.loop.get_executor(), "caller", (callers.back().*work)());
    }
    tasks.join_blocking();
    std::size_t units = 0;
    std::vector<double> waits;
    for (const Caller& caller : callers) {
        units += caller.units;
        waits.insert(waits.end(), caller.waits.begin(), caller.waits.end());
    }
    bench::print_cost(what, cpu, Seconds(kClock.steady() - start).count(),
                      static_cast<double>(units), waits);
}

// Open streams
// -------------------------------------------------------------------------------------

awaitable<void> hold_open(const Load& load, runtime::Wakeup& opened, runtime::Wakeup& enough) {
    const rpc::CallContext ctx = context();
    auto made = co_await load.port.sum(ctx);
    const auto session = must(std::move(made));
    const Number push;
    auto answer = co_await session->exchange(push);
    must(std::move(answer));
    opened.notify();
    const auto waited = co_await enough.wait();
    ignore(waited, "nobody cancels");
    session->cancel();
}

awaitable<void> open_many(const Load& load) {
    const auto executor = co_await asio::this_coro::executor;
    const std::string server = std::to_string(load.server);
    runtime::TaskGroup tasks;
    std::deque<runtime::Wakeup> enough;
    const double own_before = test::resident_kib("self");
    const double server_before = test::resident_kib(server);
    runtime::Wakeup opened(executor);
    for (int i = 0; i < kOpenStreams; ++i) {
        enough.emplace_back(executor);
        tasks.spawn(executor, "open stream", hold_open(load, opened, enough.back()));
        const auto waited = co_await opened.wait();
        ignore(waited, "nobody cancels");
    }
    fmt::print("{{\"what\":\"open\",\"client_kib\":{:.3f},\"server_kib\":{:.3f}}}\n",
               (test::resident_kib("self") - own_before) / kOpenStreams,
               (test::resident_kib(server) - server_before) / kOpenStreams);
    for (runtime::Wakeup& each : enough) each.notify();
    co_await tasks.join();
}

// Cancellation
// -------------------------------------------------------------------------------------

struct Seen {
    int cancelled = 0;
    double at = 0;
};

awaitable<Seen> seen_by_server(const Load& load) {
    const rpc::CallContext ctx = context();
    EchoRequest request;
    request.set_text(std::string(kAskCancelled));
    auto asked = co_await load.port.echo(ctx, request);
    const EchoResponse answer = must(std::move(asked));
    co_return Seen{std::atoi(answer.org_id().c_str()), std::atof(answer.text().c_str())};
}

awaitable<void> wait_for_ever(const Load& load, runtime::Wakeup& ended) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const rpc::CallContext ctx = context();
    EchoRequest request;
    request.set_delay_ms(kForever);
    const auto answer = co_await load.port.echo(ctx, request);
    if (answer) must(Result<void>(Error(ErrorCode::kInternalError, "a cancelled call answered")));
    ended.notify();
}

awaitable<double> cancel_one(const Load& load, int number) {
    const auto executor = co_await asio::this_coro::executor;
    asio::cancellation_signal signal;
    runtime::Wakeup ended(executor);
    asio::co_spawn(executor, wait_for_ever(load, ended),
                   asio::bind_cancellation_slot(signal.slot(), [](const std::exception_ptr&) {}));
    const auto slept = co_await runtime::sleep_for(3ms);  // the server's handler waits by now
    ignore(slept, "nobody cancels");
    const double cancelled = now();
    signal.emit(asio::cancellation_type::terminal);
    const auto waited = co_await ended.wait();
    ignore(waited, "nobody cancels");
    Seen seen;
    do {
        seen = co_await seen_by_server(load);
    } while (seen.cancelled < number);
    co_return seen.at - cancelled;
}

awaitable<void> cancel_many(const Load& load) {
    const Seen before = co_await seen_by_server(load);
    std::vector<double> waits;
    for (int i = 1; i <= kCancelledCalls; ++i) {
        const double took = co_await cancel_one(load, before.cancelled + i);
        waits.push_back(took);
    }
    fmt::print("{{\"what\":\"cancel\",\"p50_ms\":{:.4f},\"p99_ms\":{:.4f},\"max_ms\":{:.4f}}}\n",
               bench::percentile(waits, 0.5) * 1e3, bench::percentile(waits, 0.99) * 1e3,
               bench::percentile(waits, 1) * 1e3);
}

void run_alone(const Load& load, awaitable<void> (*work)(const Load&)) {
    runtime::TaskGroup tasks;
    tasks.spawn(load.loop.get_executor(), "measurement", work(load));
    tasks.join_blocking();
}

int direct(double seconds) {
    runtime::EventLoops loops(1);
    LeastService service;
    const Load load{service, loops.loop(0), 0, seconds};
    measure("unary_1", load, 1, &Caller::unary);
    measure("stream", load, 1, &Caller::stream);
    measure("two_way", load, 1, &Caller::two_way);
    measure("request", load, 1, &Caller::requests);
    measure("request_coalesced", load, 1, &Caller::coalesced_requests);
    return 0;
}

int call(const std::string& where, pid_t server, double seconds) {
    runtime::EventLoops loops(1);
    rpc::WireAddress address;
    if (where.starts_with('/')) {
        address.unix_path = where;
    } else {
        address.tcp = {"127.0.0.1", static_cast<std::uint16_t>(std::atoi(where.c_str()))};
    }
    const auto channel = std::make_shared<rpc::WireChannel>(loops, address, kClock);
    conformance::ConformanceClient client(channel);
    const Load load{client, loops.loop(0), server, seconds};
    run_alone(load, open_many);  // first, while neither end's memory has holes
    measure("unary_1", load, 1, &Caller::unary);
    measure("unary_32", load, 32, &Caller::unary);
    measure("stream", load, 32, &Caller::stream);
    measure("two_way", load, 32, &Caller::two_way);
    measure("request", load, 64, &Caller::requests);
    measure("request_coalesced", load, 64, &Caller::coalesced_requests);
    run_alone(load, cancel_many);
    channel->close();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc > 2 ? argv[1] : "";
    if (what == "serve") return serve(argv[2]);
    if (what == "direct") return direct(std::atof(argv[2]));
    if (what == "call" && argc == 5) return call(argv[2], std::atoi(argv[3]), std::atof(argv[4]));
    fmt::print(stderr,
               "usage: binding_bench serve FOLDER | direct SECONDS | "
               "call ADDRESS PID SECONDS\n");
    return 2;
}
