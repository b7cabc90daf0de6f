#include "services/prompts/story.hpp"

#include "base/text.hpp"
#include "runtime/http/problem.hpp"
#include "runtime/json.hpp"

namespace quire::prompts {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

constexpr int kClientClosedRequest = 499;  // nginx's number

/// Names and messages come from the caller, of any length.
constexpr std::size_t kNameBytesMax = 256;
constexpr std::size_t kMessageBytesMax = 2048;
/// Longer than any request waits at the edge.
constexpr const char* kRefusedByProvider =
    "the provider refused the request; its words are kept where content.store allows texts";
constexpr microseconds kEdgeMax{std::chrono::hours(24)};

/// Appends as much as there is room for, whole characters only.
void append_cut(std::string& out, std::string_view text) {
    out += beginning_of(text, Story::kTextBytesMax - std::min(out.size(), Story::kTextBytesMax));
}

std::string cut(std::string_view text, std::size_t bytes_max) {
    return std::string(beginning_of(text, bytes_max));
}

/// A message may hold whatever anybody sent, and a text that is no UTF-8 would make the whole event
/// unreadable, and with it all that come later.
std::string readable(std::string_view message) {
    if (!runtime::is_valid_utf8(message)) return "the message of this error is not UTF-8";
    return cut(message, kMessageBytesMax);
}

std::string text_of(const common::v1::ChatRequest& request) {
    std::string out;
    for (const auto& message : request.messages()) {
        if (!out.empty()) append_cut(out, "\n\n");
        append_cut(out, message.role());
        append_cut(out, ": ");
        for (const auto& part : message.parts()) {
            append_cut(out, part.has_raw_json() ? "[no text]" : std::string_view(part.text()));
        }
    }
    return out;
}

}  // namespace

microseconds edge_took(const v1::ChatCall& call) {
    std::int64_t end = 0;
    for (const auto& step : call.steps()) {
        const bool is_sane = step.start_us() >= 0 && step.start_us() <= kEdgeMax.count() &&
                             step.duration_us() >= 0 && step.duration_us() <= kEdgeMax.count();
        if (is_sane) end = std::max(end, step.start_us() + step.duration_us());
    }
    return microseconds(end);
}

Error cause_of(const Error& error, const rpc::CallContext& ctx, SteadyTime now) {
    if (error.code() != ErrorCode::kCancelled) return error;
    if (ctx.deadline <= now) {
        return {ErrorCode::kDeadlineExceeded, "the request's deadline passed"};
    }
    if (ctx.edge != nullptr && ctx.edge->is_stopping()) {
        return {ErrorCode::kShuttingDown, "the process is stopping; retry"};
    }
    return error;
}

Story::Story(const rpc::CallContext& ctx, const v1::ChatCall& call, const ContentConfig& content,
             const Clock& clock)
    : ctx_(ctx),
      clock_(clock),
      origin_(clock.steady() - edge_took(call)),
      upstream_began_(origin_),
      has_content_(content.is_kept(ctx.principal.project_id)) {
    told_.set_org_id(ctx.principal.org_id);
    told_.set_project_id(ctx.principal.project_id);
    told_.set_key_id(ctx.principal.key_id);
    told_.set_request_id(ctx.request_id);
    told_.set_at_us((clock.now() - edge_took(call)).micros);
    told_.set_route(call.route());
    told_.set_streamed(call.streamed());
    told_.set_model(cut(call.request().model(), kNameBytesMax));
    told_.set_prompt(cut(call.prompt(), kNameBytesMax));
    told_.set_prompt_version(call.prompt_version());
    told_.set_variant(ctx.variant);
    *told_.mutable_steps() = call.steps();
    told_.set_trace_id(ctx.trace.trace_id_hex());
}

void Story::add_step(std::string_view name, SteadyTime from) {
    auto& step = *told_.add_steps();
    step.set_name(std::string(name));
    step.set_start_us(duration_cast<microseconds>(from - origin_).count());
    step.set_duration_us(duration_cast<microseconds>(clock_.steady() - from).count());
}

void Story::begin_upstream(const common::v1::ChatRequest& request) {
    upstream_began_ = clock_.steady();
    if (has_content_) told_.mutable_content()->set_input(text_of(request));
}

void Story::note(const common::v1::ChatEvent& event) {
    if (event.has_started()) {
        is_answered_ = true;
        note_upstream(event.started());
    }
    const common::v1::Delta& delta = event.delta();
    if (has_content_ && delta.channel() == common::v1::CONTENT && delta.choice() == 0) {
        append_cut(*told_.mutable_content()->mutable_output(), delta.text());
    }
}

void Story::note_unanswered(const common::v1::Unanswered& unanswered) { note_upstream(unanswered); }

template <class Message>
void Story::note_upstream(const Message& message) {
    told_.set_provider(message.provider());
    const auto offset = duration_cast<microseconds>(upstream_began_ - origin_).count();
    for (const common::v1::Step& step : message.steps()) {
        auto& own = *told_.add_steps();
        own = step;
        own.set_start_us(step.start_us() + offset);
    }
}

void Story::set_error(const Error& error) {
    Error shown = cause_of(error, ctx_, clock_.steady());
    if (shown.code() == ErrorCode::kCancelled) {
        told_.set_status("cancelled");
        told_.set_http_status(kClientClosedRequest);
        told_.set_error_code(std::string(row_of(ErrorCode::kCancelled).name));
        told_.set_error_message("the client left before the end");
        return;
    }
    // The same as the edge makes of it: what was not sent has a status.
    const bool has_begun = ctx_.edge != nullptr ? ctx_.edge->has_begun_answering() : is_answered_;
    const bool is_sent = told_.streamed() && has_begun;
    if (error.code() == ErrorCode::kStreamInterrupted && !is_sent) {
        shown = Error(ErrorCode::kUpstreamError, error.message());
    } else if (error.code() == ErrorCode::kSettleFailed && !is_sent) {
        shown = Error(ErrorCode::kStorageUnavailable, error.message());
    }
    const bool is_policy = error.code() == ErrorCode::kContentPolicyViolation;
    told_.set_status(is_policy ? "blocked" : "failed");
    told_.set_http_status(is_sent ? 200 : http::status_of(shown));
    told_.set_error_code(std::string(shown.name()));
    // What a provider says of a request may quote it.
    const int status = shown.row().http_status;
    const bool is_providers = !told_.provider().empty() && status >= 400 && status < 500;
    told_.set_error_message(is_providers && !has_content_ ? kRefusedByProvider
                                                          : readable(shown.message()));
}

v1::GenerationStory Story::end(const Result<void>& done, const ReviewNotes& notes) {
    *told_.mutable_review() = notes;
    if (done) {
        told_.set_status(is_blocked_ ? "blocked" : "completed");
        told_.set_http_status(200);
    } else {
        set_error(done.error());
    }
    return std::move(told_);
}

}  // namespace quire::prompts
