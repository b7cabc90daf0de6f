#include "services/review/input_review.hpp"

#include "providers/chat_json.hpp"
#include "runtime/json.hpp"
#include "services/review/decisions.hpp"
#include "services/review/tool_arguments.hpp"
#include "services/review/turns.hpp"

#include <fmt/format.h>

namespace quire::review {
namespace {

using common::v1::ChatMessage;
using common::v1::ChatRequest;
using common::v1::ContentPart;
using common::v1::ToolCall;

class RequestReview {
public:
    RequestReview(const RuleSet& rules, const ChatRequest& request,
                  v1::ReviewInputResponse& response)
        : rules_(rules), request_(request), response_(response) {}

    awaitable<Result<void>> run() {
        for (int m = 0; m < request_.messages_size(); ++m) {
            auto parts = co_await review_parts(m);
            if (!parts) co_return parts;
            auto names = co_await review_names(m);
            if (!names) co_return names;
            auto calls = co_await review_calls(m);
            if (!calls) co_return calls;
            const std::string& extra = request_.messages(m).extra_json();
            auto rest = co_await replace_json(
                extra, [&](std::string text) { changed(m).set_extra_json(std::move(text)); });
            if (!rest) co_return rest;
        }
        append_decisions(rules_, tally_, "input", *response_.mutable_decisions());
        co_return Result<void>();
    }

private:
    awaitable<Result<void>> review_parts(int m) {
        for (int p = 0; p < request_.messages(m).parts_size(); ++p) {
            const ContentPart& part = request_.messages(m).parts(p);
            if (part.has_raw_json()) {
                if (!providers::is_text_part(part.raw_json())) continue;
                auto replaced = co_await replace_json(part.raw_json(), [&](std::string text) {
                    changed(m).mutable_parts(p)->set_raw_json(std::move(text));
                });
                if (!replaced) co_return replaced;
                continue;
            }
            auto replaced = co_await replace_text(part.text(), [&](std::string text) {
                changed(m).mutable_parts(p)->set_text(std::move(text));
            });
            if (!replaced) co_return replaced;
        }
        co_return Result<void>();
    }

    awaitable<Result<void>> review_names(int m) {
        const ChatMessage& message = request_.messages(m);
        auto done = co_await replace_text(
            message.name(), [&](std::string text) { changed(m).set_name(std::move(text)); });
        if (!done) co_return done;
        done = co_await replace_text(message.tool_call_id(), [&](std::string text) {
            changed(m).set_tool_call_id(std::move(text));
        });
        if (!done) co_return done;
        for (int c = 0; c < message.tool_calls_size(); ++c) {
            done = co_await review_head(m, c);
            if (!done) co_return done;
        }
        co_return Result<void>();
    }

    /// Of a call, what stands beside its arguments.
    awaitable<Result<void>> review_head(int m, int c) {
        const ToolCall& call = request_.messages(m).tool_calls(c);
        auto done = co_await replace_text(call.id(), [&](std::string text) {
            changed(m).mutable_tool_calls(c)->set_id(std::move(text));
        });
        if (!done) co_return done;
        if (!is_known_call_type(call.type())) {
            done = co_await replace_text(call.type(), [&](std::string text) {
                changed(m).mutable_tool_calls(c)->set_type(std::move(text));
            });
            if (!done) co_return done;
        }
        done = co_await replace_text(call.name(), [&](std::string text) {
            changed(m).mutable_tool_calls(c)->set_name(std::move(text));
        });
        co_return done;
    }

    awaitable<Result<void>> review_calls(int m) {
        for (int c = 0; c < request_.messages(m).tool_calls_size(); ++c) {
            const ToolCall& call = request_.messages(m).tool_calls(c);
            auto replaced = co_await replace_json(call.raw_json(), [&](std::string text) {
                changed(m).mutable_tool_calls(c)->set_raw_json(std::move(text));
            });
            if (!replaced) co_return replaced;
            replaced = co_await replace_json(call.arguments(), [&](std::string text) {
                changed(m).mutable_tool_calls(c)->set_arguments(std::move(text));
            });
            if (!replaced) co_return replaced;
        }
        co_return Result<void>();
    }

    template <class Set>
    awaitable<Result<void>> replace_text(const std::string& text, Set set) {
        co_await end_turn(text.size());
        if (text.empty()) co_return Result<void>();
        ReviewedText reviewed = co_await review_in_turns(rules_, text);
        const auto taken = take(reviewed);
        if (!taken) co_return taken;
        if (reviewed.text != text) set(std::move(reviewed.text));
        co_return Result<void>();
    }

    template <class Set>
    awaitable<Result<void>> replace_json(const std::string& text, Set set) {
        co_await end_turn(text.size());
        if (text.empty()) co_return Result<void>();
        ReviewedText reviewed = co_await review_json_in_turns(rules_, text);
        const auto taken = take(reviewed);
        if (!taken) co_return taken;
        if (reviewed.text != text) set(std::move(reviewed.text));
        co_return Result<void>();
    }

    /// A request may have many texts, each of them short.
    awaitable<void> end_turn(std::size_t bytes) {
        done_ += bytes + kTextCost;
        if (done_ < kTurnBytes) co_return;
        co_await give_way(std::exchange(done_, 0));
    }

    Result<void> take(const ReviewedText& reviewed) {
        if (reviewed.has_failed) return unreviewable("Unicode's tables failed");
        add_tally(tally_, reviewed.tally);
        if (reviewed.blocked_by == nullptr) return {};
        const Rule& rule = *reviewed.blocked_by;
        count_decision("input", rule, 1);
        return Error(ErrorCode::kContentPolicyViolation,
                     fmt::format("the input was blocked by the rule '{}' ({}); nothing was sent "
                                 "to a model",
                                 rule.name, rule.kind))
            .with_detail("rule", rule.name)
            .with_detail("kind", rule.kind);
    }

    /// The request is copied at its first redaction only.
    ChatMessage& changed(int m) {
        if (!response_.has_request()) *response_.mutable_request() = request_;
        return *response_.mutable_request()->mutable_messages(m);
    }

    const RuleSet& rules_;
    const ChatRequest& request_;
    v1::ReviewInputResponse& response_;
    Tally tally_;
    std::size_t done_ = 0;  ///< bytes since the loop's other work had its turn
};

}  // namespace

awaitable<Result<void>> review_request(const RuleSet& rules, const ChatRequest& request,
                                       v1::ReviewInputResponse& response) {
    RequestReview review(rules, request, response);
    auto done = co_await review.run();
    co_return done;
}

}  // namespace quire::review
