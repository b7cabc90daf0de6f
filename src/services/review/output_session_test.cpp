#include "services/review/output_session.hpp"

#include "services/review/review_service.hpp"
#include "tests/support/run_coroutine.hpp"

#include <gtest/gtest.h>

namespace quire::review {
namespace {

using common::v1::Delta;
using enum ErrorCode;

constexpr int kPartsMax = OutputSession::kPartsMax;

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

TEST(OutputSession, RefusesANameThatIsTooLarge) {
    OutputSession session(cards("redact"));
    const std::string half(OutputSession::kArgumentsMax / 2, 'a');
    ASSERT_TRUE(test::run(session.exchange(call_piece(0, half, half))));
    const auto refused = test::run(session.exchange(call_piece(0, "a", "")));

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), kReviewUnavailable);
    session.cancel();
}

TEST(OutputSession, RefusesTooManyCallsOfOneAnswer) {
    OutputSession session(cards("redact"));
    for (int index = 0; index < kPartsMax; ++index) {
        ASSERT_TRUE(test::run(session.exchange(call_piece(index, "a", "{}"))));
    }
    const auto call = test::run(session.exchange(call_piece(kPartsMax, "a", "{}")));

    ASSERT_FALSE(call);
    EXPECT_EQ(call.error().code(), kReviewUnavailable);
    session.cancel();
}

TEST(OutputSession, RefusesTooManyChoicesOfOneAnswer) {
    OutputSession session(cards("redact"));
    v1::OutputPiece piece = text_piece("a");
    for (int choice = 0; choice < kPartsMax; ++choice) {
        piece.mutable_deltas(0)->set_choice(choice);
        ASSERT_TRUE(test::run(session.exchange(piece)));
    }
    piece.mutable_deltas(0)->set_choice(kPartsMax);
    const auto text = test::run(session.exchange(piece));

    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code(), kReviewUnavailable);
    session.cancel();
}

/// A call with the card where `set` puts it.
template <class Set>
v1::ReleasedOutput reviewed_call(const std::string& action, Set set) {
    OutputSession session(cards(action));
    v1::OutputPiece piece = call_piece(0, "pay", "{}");
    set(*piece.mutable_deltas(0)->mutable_tool_call());
    const auto held = test::run(session.exchange(piece));
    const auto out = test::run(session.finish());
    EXPECT_TRUE(held && out);
    return out ? *out : v1::ReleasedOutput();
}

TEST(OutputSession, ReviewsTheIdAndTheTypeOfACall) {
    const auto in_id = [](common::v1::ToolCallDelta& call) {
        call.set_id("call_4111 1111 1111 1111");
    };
    const auto in_type = [](common::v1::ToolCallDelta& call) {
        call.set_type("4111-1111-1111-1111");
    };
    const auto id = reviewed_call("redact", in_id);
    const auto type = reviewed_call("redact", in_type);

    ASSERT_EQ(id.deltas_size(), 1);
    EXPECT_EQ(id.deltas(0).tool_call().id(), "call_[redacted:cards]");
    ASSERT_EQ(type.deltas_size(), 1);
    EXPECT_EQ(type.deltas(0).tool_call().type(), "[redacted:cards]");
    for (const auto& blocked : {reviewed_call("block", in_id), reviewed_call("block", in_type)}) {
        EXPECT_TRUE(blocked.is_blocked());
        EXPECT_EQ(blocked.deltas_size(), 0);
    }
    ASSERT_EQ(reviewed_call("flag", in_id).decisions_size(), 1);
}

TEST(OutputSession, TakesTheTypesOfTheProtocolForNoText) {
    RuleConfig config;
    config.name = "word";
    config.kind = "literal";
    config.action = "block";
    config.values = {"function"};
    OutputSession session(*RuleSet::compile({config}));
    v1::OutputPiece piece = call_piece(0, "pay", "{}");
    piece.mutable_deltas(0)->mutable_tool_call()->set_type("function");
    ASSERT_TRUE(test::run(session.exchange(piece)));
    const auto out = test::run(session.finish());

    ASSERT_TRUE(out);
    EXPECT_FALSE(out->is_blocked());
    ASSERT_EQ(out->deltas_size(), 1);
    EXPECT_EQ(out->deltas(0).tool_call().type(), "function");
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

v1::OutputPiece piece_with_logprobs() {
    v1::OutputPiece piece = text_piece("Hi. ");
    piece.mutable_deltas(0)->set_logprobs_json(R"([{"top_logprobs":["4111 1111 1111 1111"]}])");
    return piece;
}

TEST(OutputSession, DropsLogprobsWhereRulesCanChangeText) {
    for (const char* action : {"redact", "block"}) {
        OutputSession session(cards(action));
        const auto out = test::run(session.exchange(piece_with_logprobs()));
        session.cancel();

        ASSERT_TRUE(out);
        ASSERT_EQ(out->deltas_size(), 1);
        EXPECT_EQ(out->deltas(0).text(), "Hi. ");
        EXPECT_EQ(out->deltas(0).logprobs_json(), "") << action;
    }
}

TEST(OutputSession, KeepsLogprobsWhereRulesOnlyFlag) {
    OutputSession session(cards("flag"));
    const v1::OutputPiece piece = piece_with_logprobs();
    const auto out = test::run(session.exchange(piece));
    session.cancel();

    ASSERT_TRUE(out);
    ASSERT_EQ(out->deltas_size(), 1);
    EXPECT_EQ(out->deltas(0).logprobs_json(), piece.deltas(0).logprobs_json());
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
