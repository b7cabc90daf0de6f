#include "services/prompts/admission.hpp"

#include "providers/chat_json.hpp"

#include <limits>

namespace quire::prompts {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

constexpr std::int64_t kTokensPerMessage = 16;
/// For a call that has no deadline; longer than any request may run.
constexpr std::chrono::hours kLongest{24};

std::size_t bytes_of(const common::v1::ChatMessage& message) {
    std::size_t bytes = message.role().size() + message.name().size() +
                        message.tool_call_id().size() + message.extra_json().size();
    for (const auto& part : message.parts()) bytes += part.text().size() + part.raw_json().size();
    for (const auto& call : message.tool_calls()) {
        bytes += call.id().size() + call.name().size() + call.arguments().size() +
                 call.raw_json().size();
    }
    return bytes;
}

bool is_text_only(const common::v1::ChatRequest& request) {
    for (const auto& message : request.messages()) {
        for (const auto& part : message.parts()) {
            // Text with members beside it, `cache_control` above all, stays as it came.
            if (part.has_raw_json() && !providers::is_text_part(part.raw_json())) return false;
        }
    }
    return true;
}

std::int64_t input_bound(const common::v1::ChatRequest& request) {
    if (!is_text_only(request)) return std::numeric_limits<std::int64_t>::max();
    std::size_t bytes = request.tools_json().size() + request.response_format_json().size() +
                        request.extra_json().size();
    for (const auto& message : request.messages()) bytes += bytes_of(message);
    return static_cast<std::int64_t>(bytes) + kTokensPerMessage * request.messages_size();
}

std::int64_t output_wanted(const common::v1::ChatRequest& request) {
    return request.has_max_completion_tokens() ? request.max_completion_tokens()
                                               : request.max_tokens();
}

}  // namespace

credits::v1::AdmitRequest admission_of(const rpc::CallContext& ctx, const v1::ChatCall& call,
                                       const std::string& owner, SteadyTime now) {
    credits::v1::AdmitRequest admit;
    admit.set_request_id(ctx.request_id);
    admit.set_idempotency_key(ctx.idempotency_key);
    admit.set_request_hash(call.request_hash());
    admit.set_model(call.request().model());
    admit.set_input_tokens_bound(input_bound(call.request()));
    admit.set_output_tokens_wanted(output_wanted(call.request()));
    microseconds runs{kLongest};
    if (ctx.deadline < now + kLongest) runs = duration_cast<microseconds>(ctx.deadline - now);
    admit.set_ttl_us((std::max(runs, microseconds(0)) + kSettleWindow).count());
    admit.set_owner(owner);
    return admit;
}

void limit_output(common::v1::ChatRequest& request, std::int64_t tokens) {
    if (request.has_max_completion_tokens()) {
        request.set_max_completion_tokens(tokens);
    } else {
        request.set_max_tokens(tokens);
    }
}

}  // namespace quire::prompts
