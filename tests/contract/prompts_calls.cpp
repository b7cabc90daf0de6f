#include "tests/contract/prompts_calls.hpp"

#include "base/clock.hpp"
#include "base/id.hpp"

namespace quire::test {

using namespace prompts::v1;
using prompts::Prompts;

namespace {

std::string new_id(std::string_view prefix) {
    static SystemRng rng;
    return std::string(prefix) + make_ulid(SystemClock().now(), rng);
}

GetPromptRequest which_version(std::string name, std::string label, std::int64_t version) {
    GetPromptRequest request;
    request.set_name(std::move(name));
    request.set_label(std::move(label));
    request.set_version(version);
    return request;
}

}  // namespace

rpc::CallContext new_author() {
    rpc::CallContext ctx;
    ctx.request_id = new_id("req_");
    ctx.trace.trace_id.fill(7);
    ctx.trace.span_id.fill(9);
    ctx.principal.org_id = new_id("org_");
    ctx.principal.project_id = new_id("prj_");
    ctx.principal.key_id = new_id("key_");
    ctx.principal.scopes = {"inference", "prompts:read", "prompts:write"};
    return ctx;
}

rpc::CallContext another_request(rpc::CallContext ctx) {
    ctx.request_id = new_id("req_");
    return ctx;
}

PublishVersionRequest new_version(std::string name, std::string content,
                                  std::vector<std::string> labels) {
    PublishVersionRequest request;
    request.set_name(std::move(name));
    auto& message = *request.add_messages();
    message.set_role("user");
    message.set_content(std::move(content));
    for (std::string& label : labels) request.add_labels(std::move(label));
    return request;
}

awaitable<Result<PromptVersion>> publish(Prompts& port, const rpc::CallContext& ctx,
                                         std::string name, std::string content, std::string label) {
    auto request = new_version(std::move(name), std::move(content));
    if (!label.empty()) request.add_labels(std::move(label));
    QUIRE_CO_TRY(const auto answer, port.publish_version(ctx, request));
    co_return answer.version();
}

awaitable<Result<PromptVersion>> get_version(Prompts& port, const rpc::CallContext& ctx,
                                             std::string name, std::string label,
                                             std::int64_t version) {
    const auto request = which_version(std::move(name), std::move(label), version);
    QUIRE_CO_TRY(const auto answer, port.get_prompt(ctx, request));
    co_return answer.version();
}

awaitable<Result<PromptVersion>> point(Prompts& port, const rpc::CallContext& ctx, std::string name,
                                       std::string label, std::int64_t version) {
    SetLabelRequest request;
    request.set_name(std::move(name));
    request.set_label(std::move(label));
    request.set_version(version);
    QUIRE_CO_TRY(const auto answer, port.set_label(ctx, request));
    co_return answer.version();
}

awaitable<Result<ListPromptsResponse>> list_prompts(Prompts& port, const rpc::CallContext& ctx,
                                                    std::string after, std::int32_t limit) {
    ListPromptsRequest request;
    request.mutable_page()->set_after(std::move(after));
    request.mutable_page()->set_limit(limit);
    co_return co_await port.list_prompts(ctx, request);
}

GenerateCall new_generation(std::string prompt, std::string variables) {
    GenerateCall call;
    call.set_prompt(std::move(prompt));
    call.set_variables_json(std::move(variables));
    call.set_route("/api/v1/generate");
    return call;
}

awaitable<Result<std::string>> generate_text(Prompts& port, const rpc::CallContext& ctx,
                                             GenerateCall call) {
    ChatEvents events;
    const auto ended = co_await port.generate(ctx, call, events);
    if (!ended) co_return ended.error();
    std::string text;
    for (const auto& event : events.all) text += event.delta().text();
    co_return text;
}

}  // namespace quire::test
