#include "tests/contract/review_suite.hpp"

#include <fmt/format.h>

#include <map>

namespace quire::test {
namespace {

using common::v1::Delta;

review::RuleConfig rule(std::string name, std::string kind, std::string action) {
    review::RuleConfig config;
    config.name = std::move(name);
    config.kind = std::move(kind);
    config.action = std::move(action);
    return config;
}

review::RuleConfig literal(std::string name, std::string action, std::string value) {
    review::RuleConfig config = rule(std::move(name), "literal", std::move(action));
    config.values.push_back(std::move(value));
    return config;
}

class Collector {
public:
    void add(const review::v1::ReleasedOutput& out) {
        for (const Delta& delta : out.deltas()) add(delta);
        released.is_blocked = released.is_blocked || out.is_blocked();
        for (const auto& decision : out.decisions()) {
            counts_[decision.rule() + " " + decision.action()] += decision.count();
        }
        released.decisions.clear();
        for (const auto& [what, count] : counts_) {
            released.decisions += fmt::format("{} {}\n", what, count);
        }
    }

    Released released;

private:
    void add(const Delta& delta) {
        released.logprobs += delta.logprobs_json();
        if (delta.has_tool_call()) {
            released.calls.push_back(delta.tool_call());
        } else if (delta.channel() == common::v1::REASONING) {
            released.reasoning += delta.text();
        } else {
            released.content += delta.text();
        }
    }

    std::map<std::string, int> counts_;
};

}  // namespace

review::ReviewConfig review_contract_config() {
    review::ReviewConfig config;
    review::PolicyConfig usual;
    usual.input = {rule("keys", "secret.api_key", "block"), rule("mail", "pii.email", "redact"),
                   literal("secret project", "flag", "bluebird")};
    usual.output = {literal("banned", "block", "forbidden phrase"),
                    rule("cards", "pii.card", "redact"), rule("addresses", "pii.email", "flag")};
    review::PolicyConfig strict = usual;
    strict.input.push_back(literal("strict", "block", "bluebird"));
    config.policies = {{"default", usual}, {"strict", strict}, {"none", review::PolicyConfig()}};
    config.projects = {{"prj_strict", "strict"}, {"prj_none", "none"}};
    return config;
}

std::vector<ReviewCase> review_cases() {
    return join_cases<ReviewCase>({review_input_cases(), review_output_cases()});
}

rpc::CallContext review_caller(std::string project_id) {
    rpc::CallContext ctx;
    ctx.request_id = "req_01";
    ctx.principal.org_id = "org_01";
    ctx.principal.project_id = std::move(project_id);
    return ctx;
}

common::v1::ChatRequest request_saying(std::string text) {
    common::v1::ChatRequest request;
    request.set_model("sim");
    common::v1::ChatMessage& message = *request.add_messages();
    message.set_role("user");
    message.set_content_is_text(true);
    message.add_parts()->set_text(std::move(text));
    return request;
}

Delta text_delta(std::string text, common::v1::Channel channel) {
    Delta delta;
    delta.set_channel(channel);
    delta.set_text(std::move(text));
    return delta;
}

Delta call_delta(int index, std::string name, std::string arguments) {
    Delta delta;
    delta.set_channel(common::v1::TOOL_CALL);
    common::v1::ToolCallDelta& call = *delta.mutable_tool_call();
    call.set_index(index);
    call.set_name(std::move(name));
    call.set_arguments(std::move(arguments));
    return delta;
}

awaitable<Result<Released>> run_session(review::Review& port, std::string project_id,
                                        std::vector<Delta> deltas) {
    const rpc::CallContext ctx = review_caller(std::move(project_id));
    QUIRE_CO_TRY(const auto session, port.review_output(ctx));
    Collector collector;
    for (const Delta& delta : deltas) {
        review::v1::OutputPiece piece;
        *piece.add_deltas() = delta;
        const auto out = co_await session->exchange(piece);
        if (!out) {
            session->cancel();
            co_return out.error();
        }
        collector.add(*out);
    }
    QUIRE_CO_TRY(const auto rest, session->finish());
    collector.add(rest);
    co_return collector.released;
}

}  // namespace quire::test
