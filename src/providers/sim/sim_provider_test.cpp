#include "providers/sim/sim_provider.hpp"

#include "tests/support/run_coroutine.hpp"

#include <gtest/gtest.h>

namespace quire::providers {
namespace {

using namespace std::chrono_literals;

class Pieces final : public DeltaSink {
public:
    void on_headers() override { ++headers; }
    awaitable<Result<void>> write(const common::v1::Delta& delta) override {
        if (static_cast<int>(texts.size()) == taken_max) {
            co_return Error(ErrorCode::kReviewUnavailable, "enough");
        }
        texts.push_back(delta.text());
        co_return Result<void>();
    }

    int headers = 0;
    int taken_max = 1'000'000;
    std::vector<std::string> texts;
};

/// The simulator without its pauses.
class SimProviderTest : public testing::Test {
protected:
    SimProviderTest() {
        config_.ttft = config_.itl = 0ms;
        config_.tokens = 30;
        auto& message = *chat_.add_messages();
        message.set_role("user");
        message.add_parts()->set_text("tell me more");
    }
    Result<Completion> generate() {
        SimProvider provider(config_);
        pieces_.texts.clear();
        const ProviderRequest request{chat_, "sim", "", max_output_tokens_, {}};
        return test::run(provider.generate(ctx_, request, pieces_));
    }

    ProviderConfig config_;
    common::v1::ChatRequest chat_;
    std::int64_t max_output_tokens_ = 4096;
    rpc::CallContext ctx_;
    Pieces pieces_;
};

TEST_F(SimProviderTest, GivesAPieceAToken) {
    const auto completion = generate();

    ASSERT_TRUE(completion);
    EXPECT_EQ(pieces_.headers, 1);
    EXPECT_EQ(pieces_.texts.size(), 30u);
    EXPECT_EQ(completion->finish_reason, "stop");
}

TEST_F(SimProviderTest, CountsExactly) {
    const auto completion = generate();

    ASSERT_TRUE(completion);
    ASSERT_TRUE(completion->usage);
    EXPECT_EQ(completion->usage->input_tokens(), 4);  // the role and three words
    EXPECT_EQ(completion->usage->output_tokens(), 30);
    EXPECT_FALSE(completion->usage->estimated());
}

TEST_F(SimProviderTest, TheRequestsLimitComesBeforeTheModels) {
    max_output_tokens_ = 20;
    ASSERT_TRUE(generate());
    EXPECT_EQ(pieces_.texts.size(), 20u);

    chat_.set_max_tokens(10);
    ASSERT_TRUE(generate());
    EXPECT_EQ(pieces_.texts.size(), 10u);

    chat_.set_max_completion_tokens(5);
    const auto completion = generate();
    ASSERT_TRUE(completion);
    EXPECT_EQ(pieces_.texts.size(), 5u);
    EXPECT_EQ(completion->finish_reason, "length");
    EXPECT_EQ(completion->usage->output_tokens(), 5);
}

TEST_F(SimProviderTest, EndsAtAStopSequence) {
    chat_.add_stop("Quire");

    const auto completion = generate();

    ASSERT_TRUE(completion);
    EXPECT_EQ(completion->finish_reason, "stop");
    EXPECT_EQ(completion->usage->output_tokens(), 6);
}

TEST_F(SimProviderTest, SaysTheSameToTheSameSeedAndSomethingElseToAnother) {
    ASSERT_TRUE(generate());
    const auto first = pieces_.texts;
    ASSERT_TRUE(generate());
    EXPECT_EQ(pieces_.texts, first);

    chat_.set_seed(2);
    ASSERT_TRUE(generate());
    EXPECT_NE(pieces_.texts, first);
}

TEST_F(SimProviderTest, TakesItsTimeBeforeTheFirstTokenAndBetween) {
    config_.ttft = 20ms;
    config_.itl = 2ms;
    config_.tokens = 10;
    const SteadyTime began = SystemClock().steady();

    ASSERT_TRUE(generate());

    EXPECT_GE(SystemClock().steady() - began, 38ms);
}

TEST_F(SimProviderTest, TheReadersRefusalEndsIt) {
    pieces_.taken_max = 3;

    const auto completion = generate();

    ASSERT_FALSE(completion);
    EXPECT_EQ(completion.error().code(), ErrorCode::kReviewUnavailable);
    EXPECT_EQ(pieces_.texts.size(), 3u);
}

}  // namespace
}  // namespace quire::providers
