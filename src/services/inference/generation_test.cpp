// The caller leaves at every moment of a generation: the error passes unchanged, the place is free.
#include "services/inference/generation.hpp"

#include "runtime/task_group.hpp"
#include "tests/support/chat_events.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/scripted_provider.hpp"

#include <gtest/gtest.h>

namespace quire::inference {
namespace {

using namespace std::chrono_literals;
using test::failing_attempt;

awaitable<void> generate_into(InferenceService& service, const rpc::CallContext& ctx,
                              const v1::GenerateRequest& request,
                              rpc::Sink<common::v1::ChatEvent>& sink,
                              std::optional<Result<void>>& out) {
    auto ended = co_await service.generate(ctx, request, sink);
    out.emplace(std::move(ended));
}

/// A reader that takes the first event and no other.
class StuckReader final : public rpc::Sink<common::v1::ChatEvent> {
public:
    awaitable<Result<void>> write(const common::v1::ChatEvent& /*event*/) override {
        if (events++ == 0) co_return Result<void>();
        co_return co_await runtime::sleep_for(1h);
    }
    int events = 0;
};

/// One model with one place, on a loop that the test turns by hand.
class GenerationCancel : public testing::Test {
protected:
    GenerationCancel() {
        InferenceConfig config;
        config.queue_wait = 1h;
        std::vector<ServedModel> models;
        models.push_back(
            {"writer", {}, provider_, std::make_unique<ModelQueue>("writer", 1, 10, clock_)});
        queue_ = models.front().queue.get();
        service_.emplace(config, std::move(models), clock_, rng_);
        request_.mutable_request()->set_model("writer");
        ctx_.retries = std::make_shared<rpc::RetryBudget>(2);
    }

    void begin(rpc::Sink<common::v1::ChatEvent>& sink) {
        task_.spawn(loop_.get_executor(), "caller",
                    generate_into(*service_, ctx_, request_, sink, ended_));
        turn();
    }
    void turn() {
        loop_.restart();
        loop_.poll();
    }
    void expect_cancelled() {
        task_.cancel();
        turn();

        ASSERT_TRUE(ended_);
        ASSERT_FALSE(*ended_);
        EXPECT_EQ(ended_->error().code(), ErrorCode::kCancelled);
        EXPECT_EQ(queue_->waiting(), 0u);
    }

    asio::io_context loop_{1};
    ManualClock clock_;
    SeededRng rng_{1};
    std::shared_ptr<test::ScriptedProvider> provider_ =
        std::make_shared<test::ScriptedProvider>(clock_);
    ModelQueue* queue_ = nullptr;
    std::optional<InferenceService> service_;
    v1::GenerateRequest request_;
    rpc::CallContext ctx_;
    test::ChatEvents events_;
    runtime::TaskGroup task_;
    std::optional<Result<void>> ended_;
};

TEST_F(GenerationCancel, WhileTheProviderSaysNothing) {
    provider_->attempts = {{{}, providers::Completion(), true}};
    begin(events_);
    EXPECT_EQ(queue_->running(), 1);

    expect_cancelled();

    EXPECT_EQ(queue_->running(), 0);
    EXPECT_EQ(events_.words, (std::vector<std::string>{"unanswered queue upstream first_token"}));
}

TEST_F(GenerationCancel, InTheMiddleOfTheAnswer) {
    provider_->attempts = {{{"a"}, providers::Completion(), true}};
    begin(events_);

    expect_cancelled();

    EXPECT_EQ(queue_->running(), 0);
    EXPECT_EQ(events_.words, (std::vector<std::string>{"started", "a"}));
}

TEST_F(GenerationCancel, InThePauseBeforeARetry) {
    provider_->attempts = {failing_attempt(ErrorCode::kUpstreamError)};
    begin(events_);
    EXPECT_EQ(provider_->called_at.size(), 1u);
    EXPECT_EQ(queue_->running(), 1);

    expect_cancelled();

    EXPECT_EQ(queue_->running(), 0);
    EXPECT_EQ(provider_->called_at.size(), 1u);
}

TEST_F(GenerationCancel, WhileItsReaderTakesNothing) {
    provider_->attempts = {{{"a", "b"}}};
    StuckReader reader;
    begin(reader);
    EXPECT_EQ(reader.events, 2);

    expect_cancelled();

    EXPECT_EQ(queue_->running(), 0);
}

TEST_F(GenerationCancel, InTheQueueAndNobodyElseIsTouched) {
    {
        auto holder = test::run(queue_->enter(1h));
        ASSERT_TRUE(holder);
        begin(events_);
        EXPECT_EQ(queue_->waiting(), 1u);

        expect_cancelled();

        EXPECT_TRUE(provider_->called_at.empty());
        EXPECT_EQ(queue_->running(), 1);
    }
    EXPECT_EQ(queue_->running(), 0);
}

TEST_F(GenerationCancel, NextInLineRunsThen) {
    provider_->attempts = {{{}, providers::Completion(), true}, {{"b"}}};
    begin(events_);
    test::ChatEvents next_events;
    std::optional<Result<void>> next_ended;
    runtime::TaskGroup next;
    next.spawn(loop_.get_executor(), "next",
               generate_into(*service_, ctx_, request_, next_events, next_ended));
    turn();
    EXPECT_EQ(queue_->waiting(), 1u);

    expect_cancelled();

    ASSERT_TRUE(next_ended);
    EXPECT_TRUE(*next_ended);
    EXPECT_EQ(next_events.words, (std::vector<std::string>{"started", "b", "finished:stop"}));
}

}  // namespace
}  // namespace quire::inference
