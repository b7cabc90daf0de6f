#include "services/analytics/analytics_events.hpp"

#include "quire/credits/v1/credits.pb.h"
#include "quire/prompts/v1/prompts.pb.h"
#include "runtime/proto_json.hpp"
#include "runtime/trace_context.hpp"

#include <fmt/format.h>

namespace quire::analytics {
namespace {

constexpr std::string_view kSettled = "quire.credits.settled.v1";
constexpr std::string_view kCompleted = "quire.prompts.generation_completed.v1";
constexpr std::string_view kFailed = "quire.prompts.generation_failed.v1";
constexpr std::int64_t kDayMicros = std::int64_t{24} * 3'600 * 1'000'000;

Result<void> read_into(google::protobuf::Message& message, const common::v1::OutboxEvent& event) {
    if (!event.data_json().empty()) return runtime::read_proto_json(event.data_json(), message);
    if (message.ParseFromString(event.data())) return {};
    return Error(ErrorCode::kInvalidValue, "it cannot be parsed");
}

/// A field that a newer program adds is passed over.
template <class Message>
Result<Message> read(const common::v1::OutboxEvent& event) {
    Message message;
    const auto read = read_into(message, event);
    if (!read) {
        return Error(ErrorCode::kInvalidValue,
                     fmt::format("it is no {}: {}", message.GetTypeName(), read.error().message()));
    }
    if (!message.org_id().empty() && !message.request_id().empty()) return message;
    return Error(ErrorCode::kInvalidValue, "it names no organization or no request");
}

/// What the settlement knows of the request, until (or instead of) its story.
void fill_from(const credits::v1::Settled& settled, const common::v1::OutboxEvent& event,
               v1::Request& request) {
    const credits::v1::RequestOutcome& outcome = settled.outcome();
    request.set_at_us(event.time_us());
    request.set_status(outcome.status());
    request.set_model(outcome.model());
    request.set_provider(outcome.provider());
    request.set_prompt(outcome.prompt());
    request.set_prompt_version(outcome.prompt_version());
    request.set_variant(outcome.variant());
    request.set_key_id(settled.key_id());
    const auto trace = runtime::parse_traceparent(event.traceparent());
    if (trace) request.set_trace_id(trace->trace_id_hex());
}

Result<void> apply_settled(LogBatch& batch, const common::v1::OutboxEvent& event) {
    QUIRE_TRY(auto settled, read<credits::v1::Settled>(event));
    const Owner owner{settled.org_id(), settled.project_id()};
    RequestRow& row = batch.request(owner, settled.request_id());
    if (!row.is_told) fill_from(settled, event, row.request);
    row.is_settled = true;
    batch.add_usage(owner,
                    {event.time_us() / kDayMicros, settled.outcome().model(), settled.key_id(), 1,
                     settled.usage().input_tokens(), settled.usage().output_tokens(),
                     settled.cost().amount() - settled.written_off()});
    row.request.mutable_usage()->Swap(settled.mutable_usage());
    row.request.mutable_cost()->Swap(settled.mutable_cost());
    return {};
}

/// Takes the steps and the content out of the story.
void fill_from(prompts::v1::GenerationStory& story, v1::Request& request) {
    request.set_at_us(story.at_us());
    request.set_route(story.route());
    request.set_streamed(story.streamed());
    request.set_status(story.status());
    request.set_http_status(story.http_status());
    request.set_model(story.model());
    if (!story.provider().empty()) request.set_provider(story.provider());
    if (!story.prompt().empty()) request.set_prompt(story.prompt());
    if (story.prompt_version() != 0) request.set_prompt_version(story.prompt_version());
    request.set_variant(story.variant());
    request.set_key_id(story.key_id());
    request.mutable_steps()->Swap(story.mutable_steps());
    for (const common::v1::ReviewNote& note : story.review()) {
        auto& decision = *request.add_review();
        decision.set_stage(note.stage());
        decision.set_rule(note.rule());
        decision.set_kind(note.kind());
        decision.set_action(note.action());
        decision.set_count(note.count());
    }
    if (story.has_content()) {
        request.mutable_content()->set_input(std::move(*story.mutable_content()->mutable_input()));
        request.mutable_content()->set_output(
            std::move(*story.mutable_content()->mutable_output()));
    }
    request.set_error_code(story.error_code());
    request.set_error_message(story.error_message());
    request.set_trace_id(story.trace_id());
}

Result<void> apply_story(LogBatch& batch, const common::v1::OutboxEvent& event) {
    QUIRE_TRY(auto story, read<prompts::v1::GenerationStory>(event));
    RequestRow& row = batch.request({story.org_id(), story.project_id()}, story.request_id());
    row.is_told = true;
    fill_from(story, row.request);
    return {};
}

}  // namespace

Result<void> apply_event(LogBatch& batch, const common::v1::OutboxEvent& event) {
    if (event.type() == kSettled) return apply_settled(batch, event);
    if (event.type() == kCompleted || event.type() == kFailed) return apply_story(batch, event);
    return {};
}

}  // namespace quire::analytics
