#pragma once

#include "quire/review/v1/review_port.hpp"
#include "services/review/hold_back.hpp"

#include <list>
#include <memory>
#include <optional>
#include <string>

namespace quire::review {

/// Holds back one answer. Each choice has a text per channel, reviewed on its own; a tool call is
/// held until it is complete, that is until another one begins or the answer ends, and then comes
/// as one piece. Each answer's decisions are those made since the one before. kReviewUnavailable:
/// the answer cannot be reviewed, and neither this call nor a later one delivers anything.
class OutputSession final : public rpc::Session<v1::OutputPiece, v1::ReleasedOutput> {
public:
    /// A larger tool call cannot be reviewed: name and arguments together.
    static constexpr std::size_t kArgumentsMax = 8 << 20;
    /// Nor can an answer of more texts and tool calls, all choices together.
    static constexpr std::size_t kPartsMax = 1'024;

    explicit OutputSession(std::shared_ptr<const RuleSet> rules) : rules_(std::move(rules)) {}

    awaitable<Result<v1::ReleasedOutput>> exchange(const v1::OutputPiece& piece) override;
    awaitable<Result<v1::ReleasedOutput>> finish() override;
    void cancel() override { is_over_ = true; }

private:
    /// What is open of one choice: a channel's text or a tool call.
    struct Part {
        int choice = 0;
        common::v1::Channel channel = common::v1::CONTENT;
        std::optional<HoldBack> text;
        common::v1::ToolCallDelta call;  ///< of channel TOOL_CALL
        bool is_complete = false;        ///< of a call: it was delivered
    };

    awaitable<Result<void>> take_all(const v1::OutputPiece& piece, v1::ReleasedOutput& out);
    awaitable<Result<void>> take_text(const common::v1::Delta& delta, v1::ReleasedOutput& out);
    awaitable<Result<void>> take_call(const common::v1::Delta& delta, v1::ReleasedOutput& out);
    awaitable<Result<void>> complete_calls(int choice, int but, v1::ReleasedOutput& out);
    awaitable<Result<void>> complete(Part& part, v1::ReleasedOutput& out);
    awaitable<Result<void>> review_head(std::string& text);
    awaitable<Result<void>> flush(v1::ReleasedOutput& out);
    /// nullptr: there would be more than kPartsMax.
    Part* part_for(const common::v1::Delta& delta);
    void tell_decisions(v1::ReleasedOutput& out);

    const std::shared_ptr<const RuleSet> rules_;
    std::list<Part> parts_;  ///< in the order in which they began
    Tally calls_tally_;
    Tally told_;
    bool is_blocked_ = false;
    bool is_over_ = false;
    std::optional<Error> broken_;
};

}  // namespace quire::review
