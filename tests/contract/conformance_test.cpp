#include "tests/contract/conformance_suite.hpp"
#include "tests/support/run_coroutine.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <gtest/gtest.h>

namespace quire::test {
namespace {

using conformance::Conformance;
using conformance::v1::CountRequest;
using conformance::v1::EchoRequest;
using conformance::v1::EchoResponse;
using conformance::v1::Number;

struct Subject {
    std::string name;
    std::function<std::shared_ptr<Conformance>()> make;
};

class ConformanceTest : public testing::TestWithParam<std::tuple<Subject, ConformanceCase>> {};

TEST_P(ConformanceTest, Holds) {
    const auto& [subject, rule] = GetParam();
    const auto port = subject.make();

    EXPECT_EQ(run(rule.check(*port)), "");
}

INSTANTIATE_TEST_SUITE_P(Binding, ConformanceTest,
                         testing::Combine(testing::Values(Subject{"Port", make_conformance_service},
                                                          Subject{"Fake", make_conformance_fake}),
                                          testing::ValuesIn(conformance_cases())),
                         [](const auto& instance) {
                             return std::get<0>(instance.param).name +
                                    std::get<1>(instance.param).name;
                         });

/// A port with one fault, for showing that the suite sees it.
class BrokenConformance : public Conformance {
public:
    awaitable<Result<EchoResponse>> echo(const rpc::CallContext& ctx,
                                         const EchoRequest& request) override {
        auto answer = co_await right_->echo(ctx, request);
        co_return answer;
    }
    awaitable<Result<void>> count(const rpc::CallContext& ctx, const CountRequest& request,
                                  rpc::Sink<Number>& sink) override {
        auto ended = co_await right_->count(ctx, request, sink);
        co_return ended;
    }
    awaitable<Result<std::unique_ptr<rpc::Session<Number, Number>>>> sum(
        const rpc::CallContext& ctx) override {
        auto opened = co_await right_->sum(ctx);
        co_return opened;
    }

protected:
    std::shared_ptr<Conformance> right_ = make_conformance_service();
};

/// Sleeps through cancellation, as blocking work without a limit would.
class IgnoresCancellation final : public BrokenConformance {
public:
    awaitable<Result<EchoResponse>> echo(const rpc::CallContext& ctx,
                                         const EchoRequest& request) override {
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        EchoRequest shorter = request;
        shorter.set_delay_ms(std::min<std::int64_t>(request.delay_ms(), 600));
        auto answer = co_await right_->echo(ctx, shorter);
        co_return answer;
    }
    awaitable<Result<void>> count(const rpc::CallContext& ctx, const CountRequest& request,
                                  rpc::Sink<Number>& sink) override {
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        CountRequest shorter = request;
        shorter.set_count(std::min<std::int64_t>(request.count(), 400));
        auto ended = co_await right_->count(ctx, shorter, sink);
        co_return ended;
    }
};

/// Starts the next write before the reader has taken the one before.
class RunsAhead final : public BrokenConformance {
    class Pairs final : public rpc::Sink<Number> {
    public:
        explicit Pairs(rpc::Sink<Number>& to) : to_(to) {}
        awaitable<Result<void>> write(const Number& message) override {
            using asio::experimental::awaitable_operators::operator&&;
            if (!first_) {
                first_ = message;
                co_return Result<void>();
            }
            const Number held = *std::exchange(first_, std::nullopt);
            const auto both = co_await (to_.write(held) && to_.write(message));
            ignore(std::get<0>(both), "this is the fault");
            ignore(std::get<1>(both), "this is the fault");
            co_return Result<void>();
        }

    private:
        rpc::Sink<Number>& to_;
        std::optional<Number> first_;
    };

public:
    awaitable<Result<void>> count(const rpc::CallContext& ctx, const CountRequest& request,
                                  rpc::Sink<Number>& sink) override {
        Pairs pairs(sink);
        auto ended = co_await right_->count(ctx, request, pairs);
        co_return ended;
    }
};

/// Goes on after the reader has said no.
class IgnoresTheReader final : public BrokenConformance {
    class Deaf final : public rpc::Sink<Number> {
    public:
        explicit Deaf(rpc::Sink<Number>& to) : to_(to) {}
        awaitable<Result<void>> write(const Number& message) override {
            const auto written = co_await to_.write(message);
            ignore(written, "this is the fault");
            co_return Result<void>();
        }

    private:
        rpc::Sink<Number>& to_;
    };

public:
    awaitable<Result<void>> count(const rpc::CallContext& ctx, const CountRequest& request,
                                  rpc::Sink<Number>& sink) override {
        Deaf deaf(sink);
        CountRequest shorter = request;
        shorter.set_count(std::min<std::int64_t>(request.count(), 400));
        auto ended = co_await right_->count(ctx, shorter, deaf);
        co_return ended;
    }
};

/// The names of the cases that a port fails, one after the other.
std::vector<std::string> failures_of(Conformance& port, const std::vector<std::string>& among) {
    std::vector<std::string> failed;
    for (const ConformanceCase& rule : conformance_cases()) {
        if (std::find(among.begin(), among.end(), rule.name) == among.end()) continue;
        if (!run(rule.check(port)).empty()) failed.push_back(rule.name);
    }
    return failed;
}

TEST(ConformanceSuite, CatchesAPortThatIgnoresCancellation) {
    const std::vector<std::string> cases{"UnaryCancelEndsSoon", "StreamCancelEndsSoon",
                                         "DeadlineByCancellation"};
    IgnoresCancellation port;

    EXPECT_EQ(failures_of(port, cases), cases);
}

TEST(ConformanceSuite, CatchesAProducerThatRunsAheadOfItsReader) {
    const std::vector<std::string> cases{"SlowReaderStopsProducer"};
    RunsAhead port;

    EXPECT_EQ(failures_of(port, cases), cases);
}

TEST(ConformanceSuite, CatchesAProducerThatIgnoresItsReadersNo) {
    const std::vector<std::string> cases{"ReaderEndsProducer"};
    IgnoresTheReader port;

    EXPECT_EQ(failures_of(port, cases), cases);
}

}  // namespace
}  // namespace quire::test
