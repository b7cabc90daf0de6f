#include "services/review/input_review.hpp"

#include "services/review/rule_set.hpp"
#include "tests/support/run_coroutine.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

namespace quire::review {
namespace {

using common::v1::ChatRequest;

constexpr int kShortTexts = 40'000;

/// Counts how often other work of the loop had its turn.
awaitable<void> take_turns(int& turns) {
    for (;;) {
        co_await asio::post(asio::use_awaitable);
        ++turns;
    }
}

/// The turns of other work while the request was reviewed; -1 when that failed.
awaitable<int> turns_beside(const RuleSet& rules, const ChatRequest& request) {
    using namespace asio::experimental::awaitable_operators;
    int turns = 0;
    v1::ReviewInputResponse response;
    const auto first = co_await (review_request(rules, request, response) || take_turns(turns));
    const auto* reviewed = std::get_if<Result<void>>(&first);
    const bool is_done = reviewed != nullptr && reviewed->has_value();
    co_return is_done ? turns : -1;
}

class InputReviewTest : public testing::Test {
protected:
    InputReviewTest() {
        RuleConfig config;
        config.name = "cards";
        config.kind = "pii.card";
        config.action = "redact";
        auto made = RuleSet::compile({config});
        EXPECT_TRUE(made);
        rules_ = *made;
    }

    std::shared_ptr<const RuleSet> rules_;
    ChatRequest request_;
};

TEST_F(InputReviewTest, ReviewsTheIdAndTheTypeOfACall) {
    auto& call = *request_.add_messages()->add_tool_calls();
    call.set_id("call_4111 1111 1111 1111");
    call.set_type("4111-1111-1111-1111");
    v1::ReviewInputResponse response;
    ASSERT_TRUE(test::run(review_request(*rules_, request_, response)));

    ASSERT_TRUE(response.has_request());
    EXPECT_EQ(response.request().messages(0).tool_calls(0).id(), "call_[redacted:cards]");
    EXPECT_EQ(response.request().messages(0).tool_calls(0).type(), "[redacted:cards]");
}

TEST_F(InputReviewTest, ManyNumbersDoNotHoldTheLoopUp) {
    std::string arguments = "[1";
    for (int i = 1; i < kShortTexts; ++i) arguments += ",1";
    arguments += "]";
    request_.add_messages()->add_tool_calls()->set_arguments(arguments);

    EXPECT_GE(test::run(turns_beside(*rules_, request_)), 20);
}

TEST_F(InputReviewTest, ManyEmptyMessagesDoNotHoldTheLoopUp) {
    for (int i = 0; i < kShortTexts; ++i) request_.add_messages();

    EXPECT_GE(test::run(turns_beside(*rules_, request_)), 20);
}

}  // namespace
}  // namespace quire::review
