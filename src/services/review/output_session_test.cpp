#include "services/review/output_session.hpp"

#include "services/review/review_service.hpp"
#include "tests/support/run_coroutine.hpp"

#include <gtest/gtest.h>

namespace quire::review {
namespace {

using common::v1::Delta;
using enum ErrorCode;

std::shared_ptr<const RuleSet> cards(std::string action) {
    RuleConfig config;
    config.name = "cards";
    config.kind = "pii.card";
    config.action = std::move(action);
    auto made = RuleSet::compile({config});
    EXPECT_TRUE(made);
    return *made;
}

v1::OutputPiece call_piece(int index, std::string name, std::string arguments) {
    v1::OutputPiece piece;
    Delta& delta = *piece.add_deltas();
    delta.set_channel(common::v1::TOOL_CALL);
    delta.mutable_tool_call()->set_index(index);
    delta.mutable_tool_call()->set_name(std::move(name));
    delta.mutable_tool_call()->set_arguments(std::move(arguments));
    return piece;
}

v1::OutputPiece text_piece(std::string text) {
    v1::OutputPiece piece;
    piece.add_deltas()->set_text(std::move(text));
    return piece;
}

TEST(OutputSession, RefusesACallThatGoesOnAfterTheNextBegan) {
    OutputSession session(cards("redact"));
    ASSERT_TRUE(test::run(session.exchange(call_piece(0, "a", "{\"n\":\"4111"))));
    ASSERT_TRUE(test::run(session.exchange(call_piece(1, "b", "{}"))));
    const auto late = test::run(session.exchange(call_piece(0, "", " 1111 1111 1111\"}")));

    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code(), kReviewUnavailable);
    const auto after = test::run(session.finish());
    ASSERT_FALSE(after);
    EXPECT_EQ(after.error().code(), kReviewUnavailable);
}

TEST(OutputSession, RefusesArgumentsThatAreTooLarge) {
    OutputSession session(cards("redact"));
    const std::string large(OutputSession::kArgumentsMax + 1, ' ');
    const auto refused = test::run(session.exchange(call_piece(0, "a", large)));

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), kReviewUnavailable);
    session.cancel();
}

TEST(OutputSession, GivesACallInOnePieceWithItsHead) {
    OutputSession session(cards("redact"));
    v1::OutputPiece first = call_piece(0, "pay", "{\"to\":");
    first.mutable_deltas(0)->mutable_tool_call()->set_id("call_1");
    first.mutable_deltas(0)->mutable_tool_call()->set_type("function");
    const auto held = test::run(session.exchange(first));
    ASSERT_TRUE(held);
    EXPECT_EQ(held->deltas_size(), 0);
    ASSERT_TRUE(test::run(session.exchange(call_piece(0, "", "\"bob\"}"))));
    const auto out = test::run(session.finish());

    ASSERT_TRUE(out);
    ASSERT_EQ(out->deltas_size(), 1);
    const common::v1::ToolCallDelta& call = out->deltas(0).tool_call();
    EXPECT_EQ(call.id(), "call_1");
    EXPECT_EQ(call.type(), "function");
    EXPECT_EQ(call.name(), "pay");
    EXPECT_EQ(call.arguments(), "{\"to\":\"bob\"}");
}

TEST(OutputSession, LetsCallsThroughWhereRulesOnlyFlag) {
    OutputSession session(cards("flag"));
    const auto out = test::run(session.exchange(call_piece(0, "pay", "4111 1111 1111 1111")));
    const auto rest = test::run(session.finish());

    ASSERT_TRUE(out);
    ASSERT_EQ(out->deltas_size(), 1);
    EXPECT_EQ(out->deltas(0).tool_call().arguments(), "4111 1111 1111 1111");
    ASSERT_TRUE(rest);
    EXPECT_EQ(rest->deltas_size(), 0);
    ASSERT_EQ(rest->decisions_size(), 1);
    EXPECT_EQ(rest->decisions(0).count(), 1);
}

TEST(OutputSession, KeepsLogprobsOnlyOfWhatCameThroughAsItWas) {
    OutputSession session(cards("redact"));
    v1::OutputPiece whole = text_piece("Hi. ");
    whole.mutable_deltas(0)->set_logprobs_json("[1]");
    v1::OutputPiece held = text_piece("41");
    held.mutable_deltas(0)->set_logprobs_json("[2]");
    const auto first = test::run(session.exchange(whole));
    const auto second = test::run(session.exchange(held));
    const auto third = test::run(session.exchange(whole));
    session.cancel();

    ASSERT_TRUE(first && second && third);
    ASSERT_EQ(first->deltas_size(), 1);
    EXPECT_EQ(first->deltas(0).logprobs_json(), "[1]");
    EXPECT_EQ(second->deltas_size(), 0);
    ASSERT_EQ(third->deltas_size(), 1);
    EXPECT_EQ(third->deltas(0).text(), "41Hi. ");
    EXPECT_EQ(third->deltas(0).logprobs_json(), "");
}

TEST(OutputSession, TellsEachDecisionOnce) {
    OutputSession session(cards("redact"));
    int told = 0;
    for (const char* text : {"4111 1111 1111 1111, ", "and ", "4111-1111-1111-1111, ", "."}) {
        const auto out = test::run(session.exchange(text_piece(text)));
        ASSERT_TRUE(out);
        for (const auto& decision : out->decisions()) told += decision.count();
    }
    const auto rest = test::run(session.finish());
    ASSERT_TRUE(rest);
    for (const auto& decision : rest->decisions()) told += decision.count();

    EXPECT_EQ(told, 2);
}

TEST(OutputSession, ReviewsLongTextsInTurns) {
    OutputSession session(cards("redact"));
    std::string text;
    while (text.size() < 300'000) text += "words and words and ";
    const auto out = test::run(session.exchange(text_piece(text + "4111 1111 1111 1111. ")));
    const auto rest = test::run(session.finish());

    ASSERT_TRUE(out && rest);
    ASSERT_EQ(out->deltas_size(), 1);
    EXPECT_EQ(out->deltas(0).text(), text + "[redacted:cards]. ");
}

}  // namespace
}  // namespace quire::review
