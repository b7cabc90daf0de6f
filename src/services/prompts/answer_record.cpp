#include "services/prompts/answer_record.hpp"

namespace quire::prompts {

using common::v1::ChatEvent;

void AnswerRecord::add(const ChatEvent& event) {
    if (event.has_started()) {
        started_ = event.started();
        started_.clear_steps();
        return;
    }
    const common::v1::Delta& delta = event.delta();
    bytes_ += delta.ByteSizeLong();
    if (bytes_ > kBytesMax) return;
    if (!delta.has_tool_call()) {
        texts_[delta.channel()] += delta.text();
        return;
    }
    const common::v1::ToolCallDelta& piece = delta.tool_call();
    common::v1::ToolCallDelta& call = tool_calls_[piece.index()];
    call.set_index(piece.index());
    if (!piece.id().empty()) call.set_id(piece.id());
    if (!piece.type().empty()) call.set_type(piece.type());
    if (!piece.name().empty()) call.set_name(piece.name());
    call.mutable_arguments()->append(piece.arguments());
}

std::optional<v1::StoredAnswer> AnswerRecord::finish(const common::v1::Finished& finished) const {
    if (bytes_ > kBytesMax) return std::nullopt;
    v1::StoredAnswer answer;
    *answer.add_events()->mutable_started() = started_;
    // What was thought comes before what was said.
    for (const auto channel : {common::v1::REASONING, common::v1::CONTENT, common::v1::REFUSAL}) {
        const auto found = texts_.find(channel);
        if (found == texts_.end()) continue;
        auto& delta = *answer.add_events()->mutable_delta();
        delta.set_channel(channel);
        delta.set_text(found->second);
    }
    for (const auto& [index, call] : tool_calls_) {
        auto& delta = *answer.add_events()->mutable_delta();
        delta.set_channel(common::v1::TOOL_CALL);
        *delta.mutable_tool_call() = call;
    }
    *answer.add_events()->mutable_finished() = finished;
    return answer;
}

awaitable<Result<void>> replay(const v1::StoredAnswer& answer, const std::string& request_id,
                               rpc::Sink<ChatEvent>& sink) {
    for (ChatEvent event : answer.events()) {
        if (event.has_started()) event.mutable_started()->set_replay_of(request_id);
        if (event.has_finished()) event.mutable_finished()->clear_cost();
        const auto written = co_await sink.write(event);
        if (!written) co_return written.error();
    }
    co_return Result<void>();
}

}  // namespace quire::prompts
