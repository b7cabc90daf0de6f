#include "tests/contract/review_suite.hpp"

#include "quire/review/v1/review_fake.hpp"
#include "quire/review/v1/review_rpc.hpp"
#include "services/review/review_module.hpp"
#include "tests/contract/port_suite.hpp"

#include <gtest/gtest.h>

namespace quire::test {
namespace {

using review::Review;
using review::v1::OutputPiece;
using review::v1::ReleasedOutput;
using Session = rpc::Session<OutputPiece, ReleasedOutput>;
using OpenedReview = Result<std::unique_ptr<Session>>;

/// The service with the policies of the suite.
class ReviewSubject final : public PortSubject<Review> {
public:
    ReviewSubject() {
        wiring().set_settings(review_contract_config());
        build(review::make_review);
    }
};

[[maybe_unused]] const bool kReviewSuite = register_suite<ReviewSubject, review::ReviewClient>(
    "Review", review_cases(), review::review_methods);

/// Sessions of the service, whose pieces and answers a test may falsify.
class Falsified final : public Session {
public:
    using Piece = std::function<void(OutputPiece&)>;
    using Answer = std::function<void(const OutputPiece&, ReleasedOutput&)>;

    Falsified(std::unique_ptr<Session> right, Piece piece, Answer answer)
        : right_(std::move(right)), piece_(std::move(piece)), answer_(std::move(answer)) {}

    awaitable<Result<ReleasedOutput>> exchange(const OutputPiece& message) override {
        OutputPiece piece = message;
        if (piece_) piece_(piece);
        QUIRE_CO_TRY(ReleasedOutput out, right_->exchange(piece));
        if (answer_) answer_(message, out);
        co_return out;
    }
    awaitable<Result<ReleasedOutput>> finish() override {
        QUIRE_CO_TRY(ReleasedOutput out, right_->finish());
        const OutputPiece none;
        if (answer_) answer_(none, out);
        co_return out;
    }
    void cancel() override { right_->cancel(); }

private:
    std::unique_ptr<Session> right_;
    Piece piece_;
    Answer answer_;
};

awaitable<OpenedReview> open_falsified(Review& service, const rpc::CallContext& ctx,
                                       Falsified::Piece piece, Falsified::Answer answer) {
    QUIRE_CO_TRY(auto right, service.review_output(ctx));
    std::unique_ptr<Session> session =
        std::make_unique<Falsified>(std::move(right), std::move(piece), std::move(answer));
    co_return session;
}

class ReviewSuiteFaults : public testing::Test {
protected:
    ReviewSuiteFaults() {
        fake_.on_review_input = [this](const auto& ctx, const auto& request) {
            return subject_.port->review_input(ctx, request);
        };
        falsify({}, {});
    }
    void falsify(Falsified::Piece piece, Falsified::Answer answer) {
        fake_.on_review_output = [this, piece, answer](const rpc::CallContext& ctx) {
            return open_falsified(*subject_.port, ctx, piece, answer);
        };
    }

    ReviewSubject subject_;
    review::FakeReview fake_;
};

TEST_F(ReviewSuiteFaults, AFakeThatPassesEverythingOnHasNone) {
    for (const ReviewCase& rule : review_cases()) {
        EXPECT_EQ(run(check_case(rule, fake_)), "") << rule.name;
    }
}

TEST_F(ReviewSuiteFaults, SeesAnAnswerThatIsCheckedPieceByPiece) {
    // What was already delivered is all that is remembered: nothing is held.
    falsify({}, [](const OutputPiece& came, ReleasedOutput& out) {
        const bool is_blocked = out.is_blocked();
        if (!is_blocked) *out.mutable_deltas() = came.deltas();
    });

    const CaseNames cases{"TheSameComesOutWhateverThePieces", "ABlockDeliversWhatStandsBefore",
                          "ChannelsAreReviewedOnTheirOwn", "ToolCallsAreReviewedDecoded"};
    EXPECT_EQ(subject_.failures(fake_, review_cases(), cases), cases);
}

TEST_F(ReviewSuiteFaults, SeesChannelsThatAreMixed) {
    falsify(
        [](OutputPiece& piece) {
            for (auto& delta : *piece.mutable_deltas()) {
                if (!delta.has_tool_call()) delta.set_channel(common::v1::CONTENT);
            }
        },
        {});

    const CaseNames cases{"ChannelsAreReviewedOnTheirOwn"};
    EXPECT_EQ(subject_.failures(fake_, review_cases(), cases), cases);
}

TEST_F(ReviewSuiteFaults, SeesChoicesThatAreMixed) {
    falsify(
        [](OutputPiece& piece) {
            for (auto& delta : *piece.mutable_deltas()) delta.set_choice(0);
        },
        {});

    const CaseNames cases{"ChoicesAreReviewedOnTheirOwn"};
    EXPECT_EQ(subject_.failures(fake_, review_cases(), cases), cases);
}

TEST_F(ReviewSuiteFaults, SeesLogprobsThatPass) {
    falsify({}, [](const OutputPiece& came, ReleasedOutput& out) {
        for (const auto& delta : came.deltas()) {
            out.add_deltas()->set_logprobs_json(delta.logprobs_json());
        }
    });

    const CaseNames cases{"LogprobsDoNotTellWhatIsHeld"};
    EXPECT_EQ(subject_.failures(fake_, review_cases(), cases), cases);
}

TEST_F(ReviewSuiteFaults, SeesABlockThatIsNotTold) {
    falsify({}, [](const OutputPiece&, ReleasedOutput& out) { out.set_is_blocked(false); });

    const CaseNames cases{"ABlockDeliversWhatStandsBefore", "ABlockInAToolCallEndsTheAnswer"};
    EXPECT_EQ(subject_.failures(fake_, review_cases(), cases), cases);
}

awaitable<Result<review::v1::ReviewInputResponse>> review_for(
    Review& service, rpc::CallContext ctx, review::v1::ReviewInputRequest request) {
    auto answer = co_await service.review_input(ctx, request);
    co_return answer;
}

TEST_F(ReviewSuiteFaults, SeesAPolicyThatIsTheSameForAll) {
    fake_.on_review_input = [this](const rpc::CallContext& ctx, const auto& request) {
        rpc::CallContext other = ctx;
        other.principal.project_id = "prj_1";
        return review_for(*subject_.port, other, request);
    };

    const CaseNames cases{"TheProjectPicksThePolicy"};
    EXPECT_EQ(subject_.failures(fake_, review_cases(), cases), cases);
}

TEST_F(ReviewSuiteFaults, SeesToolCallsThatAreNotReviewed) {
    fake_.on_review_input = [this](const rpc::CallContext& ctx, const auto& request) {
        review::v1::ReviewInputRequest without = request;
        for (auto& message : *without.mutable_request()->mutable_messages()) {
            for (auto& call : *message.mutable_tool_calls()) call.set_arguments("{}");
        }
        return review_for(*subject_.port, ctx, without);
    };

    const CaseNames cases{"EveryTextOfARequestIsRedacted"};
    EXPECT_EQ(subject_.failures(fake_, review_cases(), cases), cases);
}

}  // namespace
}  // namespace quire::test
