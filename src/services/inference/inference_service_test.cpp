// A whole generation on one model, with a provider that does what the test says.
#include "services/inference/inference_service.hpp"

#include "tests/support/chat_events.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/scripted_provider.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace quire::inference {
namespace {

using namespace std::chrono_literals;
using providers::Completion;
using test::failing_attempt;
using test::ScriptedAttempt;

using Words = std::vector<std::string>;

/// Bits that are all the same: the shortest or the longest pause.
class ConstantRng final : public Rng {
public:
    void fill(std::span<std::byte> bytes) override { std::fill(bytes.begin(), bytes.end(), bits); }
    std::byte bits{0};
};

InferenceConfig config() {
    InferenceConfig config;
    config.connect = 1s;
    config.first_token = 2s;
    config.between_tokens = 3s;
    config.queue_wait = 1h;
    return config;
}

class InferenceServiceTest : public testing::Test {
protected:
    InferenceServiceTest() {
        providers::ModelConfig tiny;
        tiny.provider = "local";
        tiny.upstream_model = "vendor/tiny";
        tiny.max_tokens_field = "n_predict";
        tiny.max_output_tokens = 77;
        tiny.context_tokens = 1000;
        std::vector<ServedModel> models;
        for (const std::string_view name : {"writer", "other"}) {
            models.push_back({std::string(name), tiny, provider_,
                              std::make_unique<ModelQueue>(std::string(name), 1, 1, clock_)});
        }
        queue_ = models.front().queue.get();
        service_.emplace(config(), std::move(models), clock_, rng_);
        request_.mutable_request()->set_model("writer");
    }

    rpc::CallContext context(int retries) const {
        rpc::CallContext ctx;
        ctx.request_id = "req_1";
        ctx.retries = std::make_shared<rpc::RetryBudget>(retries);
        return ctx;
    }
    Result<void> generate(int retries = 2) {
        ctx_ = context(retries);
        return test::run(service_->generate(ctx_, request_, events_));
    }
    std::string_view failure(int retries = 2) {
        const auto ended = generate(retries);
        return ended ? "no error" : ended.error().name();
    }

    ManualClock clock_;
    ConstantRng rng_;
    std::shared_ptr<test::ScriptedProvider> provider_ =
        std::make_shared<test::ScriptedProvider>(clock_);
    ModelQueue* queue_ = nullptr;
    std::optional<InferenceService> service_;
    v1::GenerateRequest request_;
    rpc::CallContext ctx_;
    test::ChatEvents events_;
};

TEST_F(InferenceServiceTest, SaysThatAModelDoesNotExist) {
    request_.mutable_request()->set_model("writter");

    const auto ended = generate();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kModelNotFound);
    EXPECT_EQ(ended.error().detail("param"), "model");
    EXPECT_NE(ended.error().message().find("'writter'"), std::string::npos);
    EXPECT_TRUE(provider_->called_at.empty());
}

TEST_F(InferenceServiceTest, ListsItsModelsInOrder) {
    const v1::ListModelsRequest all;

    const auto models = test::run(service_->list_models(ctx_, all));

    ASSERT_TRUE(models);
    ASSERT_EQ(models->models_size(), 2);
    EXPECT_EQ(models->models(0).name(), "writer");
    EXPECT_EQ(models->models(1).name(), "other");
    EXPECT_EQ(models->models(0).provider(), "local");
    EXPECT_EQ(models->models(0).context_tokens(), 1000);
    EXPECT_EQ(models->models(0).max_output_tokens(), 77);
    EXPECT_EQ(models->models(0).created_at_us(), clock_.now().micros);
}

TEST_F(InferenceServiceTest, StartsOnceBeforeTheFirstDelta) {
    provider_->attempts = {{{"a", "b", "c"}}};

    ASSERT_TRUE(generate());

    EXPECT_EQ(events_.words, (Words{"started", "a", "b", "c", "finished:stop"}));
    EXPECT_EQ(events_.all[0].started().model(), "writer");
    EXPECT_EQ(events_.all[0].started().provider(), "local");
}

TEST_F(InferenceServiceTest, TellsTheStepsUntilTheFirstContent) {
    provider_->attempts = {{{"a"}}};

    ASSERT_TRUE(generate());

    std::vector<std::string> steps;
    for (const auto& step : events_.all[0].started().steps()) {
        steps.push_back(fmt::format("{} {} {}", step.name(), step.start_us(), step.duration_us()));
    }
    EXPECT_EQ(steps, (Words{"queue 0 0", "upstream 0 3000", "first_token 0 7000"}));
}

TEST_F(InferenceServiceTest, HandsTheProviderItsOwnNameAndTheLimits) {
    ASSERT_TRUE(generate());

    EXPECT_EQ(provider_->upstream_model, "vendor/tiny");
    EXPECT_EQ(provider_->max_tokens_field, "n_predict");
    EXPECT_EQ(provider_->max_output_tokens, 77);
    EXPECT_EQ(provider_->timeouts.connect, 1s);
    EXPECT_EQ(provider_->timeouts.first_token, 2s);
    EXPECT_EQ(provider_->timeouts.between_tokens, 3s);
}

TEST_F(InferenceServiceTest, AnEmptyAnswerHasAStartAndAnEndToo) {
    ASSERT_TRUE(generate());

    EXPECT_EQ(events_.words, (Words{"started", "finished:stop"}));
}

TEST_F(InferenceServiceTest, PassesTheReasonAndTheUsageOn) {
    Completion completion;
    completion.finish_reason = "length";
    completion.usage.emplace();
    completion.usage->set_output_tokens(9);
    provider_->attempts = {{{"a"}, completion}};

    ASSERT_TRUE(generate());

    EXPECT_EQ(events_.words.back(), "finished:length");
    EXPECT_EQ(events_.all.back().finished().usage().output_tokens(), 9);
}

TEST_F(InferenceServiceTest, InventsNoUsage) {
    ASSERT_TRUE(generate());

    EXPECT_FALSE(events_.all.back().finished().has_usage());
}

TEST_F(InferenceServiceTest, RetriesBeforeTheFirstContent) {
    provider_->attempts = {failing_attempt(ErrorCode::kUpstreamError), {{"a"}}};

    ASSERT_TRUE(generate());

    EXPECT_EQ(provider_->called_at.size(), 2u);
    EXPECT_EQ(ctx_.retries->left(), 1);
    EXPECT_EQ(events_.words, (Words{"started", "a", "finished:stop"}));
}

TEST_F(InferenceServiceTest, RetriesAsLongAsTheBudgetLasts) {
    provider_->attempts = {failing_attempt(ErrorCode::kUpstreamError)};
    for (const int budget : {0, 1, 2}) {
        provider_->called_at.clear();

        EXPECT_EQ(failure(budget), "upstream_error");
        EXPECT_EQ(provider_->called_at.size(), static_cast<std::size_t>(budget) + 1);
        EXPECT_EQ(ctx_.retries->left(), 0);
    }
    EXPECT_EQ(events_.words, std::vector<std::string>(3, "unanswered queue upstream first_token"));
}

TEST_F(InferenceServiceTest, DoesNotRetryWithoutABudget) {
    provider_->attempts = {failing_attempt(ErrorCode::kUpstreamError)};
    const rpc::CallContext ctx;

    const auto ended = test::run(service_->generate(ctx, request_, events_));

    EXPECT_FALSE(ended);
    EXPECT_EQ(provider_->called_at.size(), 1u);
}

TEST_F(InferenceServiceTest, PausesDoubleBetweenRetries) {
    provider_->attempts = {failing_attempt(ErrorCode::kUpstreamError)};

    EXPECT_EQ(failure(2), "upstream_error");

    const auto& at = provider_->called_at;
    ASSERT_EQ(at.size(), 3u);
    EXPECT_GE(at[1] - at[0], 50ms);  // half of 100 ms and of 200 ms, since the jitter draws 0
    EXPECT_GE(at[2] - at[1], 100ms);
}

TEST_F(InferenceServiceTest, PausesAreJittered) {
    rng_.bits = std::byte{0xFF};
    provider_->attempts = {failing_attempt(ErrorCode::kUpstreamError), ScriptedAttempt()};

    ASSERT_TRUE(generate());

    EXPECT_GE(provider_->called_at[1] - provider_->called_at[0], 99ms);
}

TEST_F(InferenceServiceTest, DoesNotRetryWhatARetryCannotHelp) {
    using enum ErrorCode;
    for (const ErrorCode code : {kUpstreamAuthFailed, kUpstreamTimeout, kOverloaded, kInvalidValue,
                                 kContextLengthExceeded, kModelNotFound, kCancelled}) {
        provider_->attempts = {failing_attempt(code)};
        provider_->called_at.clear();

        EXPECT_EQ(failure(), row_of(code).name);
        EXPECT_EQ(provider_->called_at.size(), 1u) << row_of(code).name;
    }
    EXPECT_EQ(events_.words, std::vector<std::string>(7, "unanswered queue upstream first_token"));
}

TEST_F(InferenceServiceTest, PassesTheHintOfACrowdedProviderOn) {
    test::ScriptedAttempt crowded = failing_attempt(ErrorCode::kOverloaded);
    crowded.failure = Error(ErrorCode::kOverloaded, "busy").with_retry_after(7s);
    provider_->attempts = {crowded};

    const auto ended = generate();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().retry_after(), 7s);
}

TEST_F(InferenceServiceTest, NeverRetriesAfterTheFirstContent) {
    using enum ErrorCode;
    for (const ErrorCode code : {kUpstreamError, kUpstreamTimeout, kOverloaded}) {
        provider_->attempts = {failing_attempt(code, {"a"})};
        provider_->called_at.clear();
        events_.words.clear();

        EXPECT_EQ(failure(), "stream_interrupted") << row_of(code).name;
        EXPECT_EQ(provider_->called_at.size(), 1u);
        EXPECT_EQ(ctx_.retries->left(), 2);
        EXPECT_EQ(events_.words, (Words{"started", "a"}));
    }
}

TEST_F(InferenceServiceTest, NeverRepeatsTheUpstreamsWords) {
    using enum ErrorCode;
    for (const ScriptedAttempt& attempt :
         {failing_attempt(kUpstreamError), failing_attempt(kUpstreamTimeout),
          failing_attempt(kUpstreamError, {"a"}), failing_attempt(kOverloaded, {"a"})}) {
        provider_->attempts = {attempt};

        const auto ended = generate(0);

        ASSERT_FALSE(ended);
        EXPECT_EQ(ended.error().message().find("gpu-7"), std::string::npos)
            << ended.error().message();
    }
}

TEST_F(InferenceServiceTest, TheReadersRefusalEndsTheGenerationUnchanged) {
    provider_->attempts = {{{"a", "b"}}};
    events_.refusal = Error(ErrorCode::kReviewUnavailable, "enough");

    EXPECT_EQ(failure(), "review_unavailable");
    EXPECT_EQ(provider_->called_at.size(), 1u);
    EXPECT_EQ(queue_->running(), 0);
}

TEST_F(InferenceServiceTest, EveryEndingFreesThePlace) {
    using enum ErrorCode;
    for (const ScriptedAttempt& attempt :
         {ScriptedAttempt{{"a"}}, ScriptedAttempt(), failing_attempt(kUpstreamTimeout),
          failing_attempt(kUpstreamError, {"a"}), failing_attempt(kUpstreamError),
          failing_attempt(kCancelled)}) {
        provider_->attempts = {attempt};

        ignore(generate(0), "any ending");

        EXPECT_EQ(queue_->running(), 0);
    }
}

}  // namespace
}  // namespace quire::inference
