#include "services/review/output_session.hpp"

#include "services/review/decisions.hpp"
#include "services/review/tool_arguments.hpp"
#include "services/review/turns.hpp"

#include <fmt/format.h>

namespace quire::review {

using common::v1::Delta;
using common::v1::ToolCallDelta;

namespace {

Error too_many_parts() {
    return unreviewable(
        fmt::format("the answer has more than {} texts and tool calls", OutputSession::kPartsMax));
}

}  // namespace

awaitable<Result<v1::ReleasedOutput>> OutputSession::exchange(const v1::OutputPiece& piece) {
    v1::ReleasedOutput out;
    if (is_over_) co_return cancelled_error();
    if (broken_) co_return *broken_;
    try {
        const auto taken = co_await take_all(piece, out);
        if (!taken) broken_ = taken.error();
    } catch (const std::exception& e) {
        broken_ = unreviewable(e.what());
    }
    if (broken_) co_return *broken_;
    tell_decisions(out);
    co_return out;
}

awaitable<Result<v1::ReleasedOutput>> OutputSession::finish() {
    v1::ReleasedOutput out;
    if (is_over_) co_return cancelled_error();
    is_over_ = true;
    if (broken_) co_return *broken_;
    try {
        const auto flushed = co_await flush(out);
        if (!flushed) co_return flushed.error();
    } catch (const std::exception& e) {
        broken_ = unreviewable(e.what());
    }
    if (broken_) co_return *broken_;
    tell_decisions(out);
    co_return out;
}

awaitable<Result<void>> OutputSession::take_all(const v1::OutputPiece& piece,
                                                v1::ReleasedOutput& out) {
    if (rules_->is_empty()) {
        *out.mutable_deltas() = piece.deltas();
        co_return Result<void>();
    }
    for (const Delta& delta : piece.deltas()) {
        if (is_blocked_) break;
        if (delta.has_tool_call()) {
            auto taken = co_await take_call(delta, out);
            if (!taken) co_return taken;
        } else {
            auto taken = co_await take_text(delta, out);
            if (!taken) co_return taken;
        }
    }
    co_return Result<void>();
}

awaitable<Result<void>> OutputSession::take_text(const Delta& delta, v1::ReleasedOutput& out) {
    Part* part = part_for(delta);
    if (part == nullptr) co_return too_many_parts();
    if (!part->text) part->text.emplace(*rules_);
    std::string released;
    const bool is_read = co_await push_in_turns(*part->text, delta.text(), released);
    if (!is_read) co_return unreviewable("Unicode's tables failed");
    is_blocked_ = part->text->blocked_by() != nullptr;
    if (released.empty() && (is_blocked_ || !delta.text().empty())) co_return Result<void>();
    Delta& passed = *out.add_deltas();
    passed.set_choice(delta.choice());
    passed.set_channel(delta.channel());
    // They repeat the text, with alternatives that no rule has seen.
    if (!rules_->can_change_text()) passed.set_logprobs_json(delta.logprobs_json());
    if (delta.has_text()) passed.set_text(std::move(released));
    co_return Result<void>();
}

awaitable<Result<void>> OutputSession::take_call(const Delta& delta, v1::ReleasedOutput& out) {
    const ToolCallDelta& piece = delta.tool_call();
    const auto completed = co_await complete_calls(delta.choice(), piece.index(), out);
    if (!completed || is_blocked_) co_return completed;
    Part* part = part_for(delta);
    if (part == nullptr) co_return too_many_parts();
    if (part->is_complete) {
        if (piece.arguments().empty() && piece.name().empty()) co_return Result<void>();
        co_return unreviewable(
            fmt::format("tool call {} goes on after another one began", piece.index()));
    }
    ToolCallDelta& call = part->call;
    if (!piece.id().empty()) call.set_id(piece.id());
    if (!piece.type().empty()) call.set_type(piece.type());
    call.mutable_name()->append(piece.name());
    call.mutable_arguments()->append(piece.arguments());
    if (call.name().size() + call.arguments().size() > kArgumentsMax) {
        co_return unreviewable(fmt::format("tool call {} has more than {} bytes of arguments",
                                           piece.index(), kArgumentsMax));
    }
    if (!rules_->can_change_text()) *out.add_deltas() = delta;
    co_return Result<void>();
}

awaitable<Result<void>> OutputSession::complete_calls(int choice, int but,
                                                      v1::ReleasedOutput& out) {
    for (Part& part : parts_) {
        const bool is_open = part.channel == common::v1::TOOL_CALL && !part.is_complete;
        if (!is_open || part.choice != choice || part.call.index() == but) continue;
        const auto completed = co_await complete(part, out);
        if (!completed || is_blocked_) co_return completed;
    }
    co_return Result<void>();
}

/// The whole call is reviewed; it comes as one piece, or up to where its arguments were blocked.
awaitable<Result<void>> OutputSession::complete(Part& part, v1::ReleasedOutput& out) {
    part.is_complete = true;
    // Nothing of it is kept but which one it was.
    ToolCallDelta call = std::move(part.call);
    part.call.Clear();
    part.call.set_index(call.index());
    auto reviewed = co_await review_head(*call.mutable_id());
    if (!reviewed || is_blocked_) co_return reviewed;
    if (!is_known_call_type(call.type())) {
        reviewed = co_await review_head(*call.mutable_type());
        if (!reviewed || is_blocked_) co_return reviewed;
    }
    reviewed = co_await review_head(*call.mutable_name());
    if (!reviewed || is_blocked_) co_return reviewed;
    ReviewedText arguments = co_await review_json_in_turns(*rules_, call.arguments());
    add_tally(calls_tally_, arguments.tally);
    is_blocked_ = arguments.blocked_by != nullptr;
    if (arguments.has_failed) co_return unreviewable("Unicode's tables failed");
    if (!rules_->can_change_text()) co_return Result<void>();
    call.set_arguments(std::move(arguments.text));
    Delta& passed = *out.add_deltas();
    passed.set_choice(part.choice);
    passed.set_channel(common::v1::TOOL_CALL);
    *passed.mutable_tool_call() = std::move(call);
    co_return Result<void>();
}

/// Of a call, what stands beside its arguments.
awaitable<Result<void>> OutputSession::review_head(std::string& text) {
    if (text.empty()) co_return Result<void>();
    ReviewedText reviewed = co_await review_in_turns(*rules_, text);
    if (reviewed.has_failed) co_return unreviewable("Unicode's tables failed");
    add_tally(calls_tally_, reviewed.tally);
    is_blocked_ = reviewed.blocked_by != nullptr;
    text = std::move(reviewed.text);
    co_return Result<void>();
}

awaitable<Result<void>> OutputSession::flush(v1::ReleasedOutput& out) {
    for (Part& part : parts_) {
        if (is_blocked_) break;
        if (part.channel == common::v1::TOOL_CALL) {
            if (part.is_complete) continue;
            const auto completed = co_await complete(part, out);
            if (!completed) co_return completed;
            continue;
        }
        std::string released;
        if (!part.text->finish(released)) co_return unreviewable("Unicode's tables failed");
        is_blocked_ = part.text->blocked_by() != nullptr;
        if (released.empty()) continue;
        Delta& passed = *out.add_deltas();
        passed.set_choice(part.choice);
        passed.set_channel(part.channel);
        passed.set_text(std::move(released));
    }
    co_return Result<void>();
}

OutputSession::Part* OutputSession::part_for(const Delta& delta) {
    const bool is_call = delta.has_tool_call();
    const auto channel = is_call ? common::v1::TOOL_CALL : delta.channel();
    for (Part& part : parts_) {
        if (part.choice != delta.choice() || part.channel != channel) continue;
        if (part.text.has_value() == is_call) continue;
        if (!is_call || part.call.index() == delta.tool_call().index()) return &part;
    }
    if (parts_.size() == kPartsMax) return nullptr;
    Part& part = parts_.emplace_back();
    part.choice = delta.choice();
    part.channel = channel;
    if (is_call) part.call.set_index(delta.tool_call().index());
    return &part;
}

void OutputSession::tell_decisions(v1::ReleasedOutput& out) {
    out.set_is_blocked(is_blocked_);
    Tally total = calls_tally_;
    for (const Part& part : parts_) {
        if (part.text) add_tally(total, part.text->tally());
    }
    Tally fresh = total;
    for (std::size_t i = 0; i < told_.size(); ++i) fresh[i] -= told_[i];
    told_ = std::move(total);
    append_decisions(*rules_, fresh, "output", *out.mutable_decisions());
}

}  // namespace quire::review
