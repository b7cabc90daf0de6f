// Requests: what passes, what is redacted, what is refused.
#include "tests/contract/review_suite.hpp"

#include <fmt/format.h>

namespace quire::test {
namespace {

using enum ErrorCode;
using review::Review;
using review::v1::ReviewInputRequest;
using review::v1::ReviewInputResponse;

constexpr const char* kAddress = "bob@example.com";
constexpr const char* kKey = "AKIAIOSFODNN7EXAMPLE";

awaitable<Result<ReviewInputResponse>> review_input(Review& port, std::string project_id,
                                                    common::v1::ChatRequest request) {
    const rpc::CallContext ctx = review_caller(std::move(project_id));
    ReviewInputRequest message;
    *message.mutable_request() = std::move(request);
    auto answer = co_await port.review_input(ctx, message);
    co_return answer;
}

awaitable<Result<void>> a_clean_request_passes_uncopied(Review& port, Findings& found) {
    QUIRE_CO_TRY(const auto answer, review_input(port, "prj_1", request_saying("Hello, bees.")));

    found.expect(!answer.has_request(), "an unchanged request came back as a copy");
    found.expect(answer.decisions().empty(), "nothing was decided, and told");
    found.expect(answer.has_output_rules(), "the output's rules were not announced");
    co_return Result<void>();
}

awaitable<Result<void>> every_text_of_a_request_is_redacted(Review& port, Findings& found) {
    common::v1::ChatRequest request = request_saying(fmt::format("Write to {}.", kAddress));
    common::v1::ChatMessage& message = *request.add_messages();
    message.set_role("assistant");
    message.add_parts()->set_raw_json(
        R"({"type":"text","text":"bob@example.com","cache_control":{"type":"ephemeral"}})");
    message.add_parts()->set_raw_json(
        R"({"type":"image_url","image_url":{"url":"https://bob@example.com/a.png"}})");
    message.add_tool_calls()->set_arguments(R"({"to":"bob\u0040example.com","n":[1, 2]})");
    message.mutable_tool_calls(0)->set_name("mail_bob@example.com");
    message.set_name("bob@example.com");
    message.set_tool_call_id("call bob@example.com");
    message.add_tool_calls()->set_raw_json(
        R"({"type":"custom","custom":{"name":"mail","input":"to bob@example.com"}})");
    QUIRE_CO_TRY(const auto answer, review_input(port, "prj_1", std::move(request)));

    found.expect(answer.has_request(), "nothing was redacted");
    if (!answer.has_request()) co_return Result<void>();
    const auto& user = answer.request().messages(0);
    const auto& assistant = answer.request().messages(1);
    found.expect(user.parts(0).text() == "Write to [redacted:mail].", user.parts(0).text());
    found.expect(user.role() == "user" && user.content_is_text(), "the rest was not kept");
    found.expect(assistant.parts(0).raw_json() ==
                     R"({"type":"text","text":"[redacted:mail]","cache_control":)"
                     R"({"type":"ephemeral"}})",
                 assistant.parts(0).raw_json());
    found.expect(assistant.parts(1).raw_json().find(kAddress) != std::string::npos,
                 "an image's address was taken for text");
    found.expect(assistant.tool_calls(0).arguments() == R"({"to":"[redacted:mail]","n":[1, 2]})",
                 assistant.tool_calls(0).arguments());
    found.expect(assistant.tool_calls(0).name().find(kAddress) == std::string::npos,
                 assistant.tool_calls(0).name());
    found.expect(assistant.name() == "[redacted:mail]", assistant.name());
    found.expect(assistant.tool_call_id() == "call [redacted:mail]", assistant.tool_call_id());
    found.expect(assistant.tool_calls(1).raw_json().find(kAddress) == std::string::npos,
                 assistant.tool_calls(1).raw_json());
    found.expect(answer.decisions_size() == 1 && answer.decisions(0).count() == 7 &&
                     answer.decisions(0).rule() == "mail" && answer.decisions(0).stage() == "input",
                 answer.ShortDebugString());
    co_return Result<void>();
}

awaitable<Result<void>> a_block_names_the_rule_and_not_the_text(Review& port, Findings& found) {
    const auto refused =
        co_await review_input(port, "prj_1", request_saying(fmt::format("my key is {}", kKey)));

    found.expect_refused(refused, kContentPolicyViolation, "a key");
    if (refused) co_return Result<void>();
    const Error& error = refused.error();
    found.expect(error.detail("rule") == "keys" && error.detail("kind") == "secret.api_key",
                 "the details do not name the rule");
    found.expect(error.message().find("keys") != std::string::npos, "the message names no rule");
    found.expect(error.message().find("AKIA") == std::string::npos, "the message quotes the text");
    co_return Result<void>();
}

awaitable<Result<void>> a_flag_is_a_decision_and_nothing_else(Review& port, Findings& found) {
    QUIRE_CO_TRY(const auto answer, review_input(port, "prj_1",
                                                 request_saying("BLUE\xE2\x80\x8B"
                                                                "bird, Bluebird")));

    found.expect(!answer.has_request(), "a flag changed the request");
    found.expect(answer.decisions_size() == 1 && answer.decisions(0).action() == "flag" &&
                     answer.decisions(0).count() == 2,
                 answer.ShortDebugString());
    co_return Result<void>();
}

awaitable<Result<void>> the_project_picks_the_policy(Review& port, Findings& found) {
    const auto strict = co_await review_input(port, "prj_strict", request_saying("bluebird"));
    QUIRE_CO_TRY(const auto none, review_input(port, "prj_none", request_saying(kKey)));

    found.expect_refused(strict, kContentPolicyViolation, "the strict project");
    found.expect(!none.has_output_rules() && none.decisions().empty(),
                 "a project without rules is reviewed");
    co_return Result<void>();
}

awaitable<Result<void>> logprobs_are_refused_where_output_may_change(Review& port,
                                                                     Findings& found) {
    for (const char* extra : {R"({"logprobs":true})", R"({"top_logprobs":3})"}) {
        common::v1::ChatRequest request = request_saying("Hello");
        request.set_extra_json(extra);
        const auto refused = co_await review_input(port, "prj_1", std::move(request));
        found.expect_refused(refused, kUnsupportedParameter, extra, "logprobs");
    }
    for (const char* extra : {R"({"logprobs":false})", R"({"user":"logprobs"})"}) {
        common::v1::ChatRequest request = request_saying("Hello");
        request.set_extra_json(extra);
        const auto passed = co_await review_input(port, "prj_1", std::move(request));
        if (!passed) co_return passed.error();
    }
    common::v1::ChatRequest request = request_saying("Hello");
    request.set_extra_json(R"({"logprobs":true})");
    const auto passed = co_await review_input(port, "prj_none", std::move(request));
    if (!passed) co_return passed.error();
    co_return Result<void>();
}

}  // namespace

std::vector<ReviewCase> review_input_cases() {
    return {
        {"ACleanRequestPassesUncopied", a_clean_request_passes_uncopied},
        {"EveryTextOfARequestIsRedacted", every_text_of_a_request_is_redacted},
        {"ABlockNamesTheRuleAndNotTheText", a_block_names_the_rule_and_not_the_text},
        {"AFlagIsADecisionAndNothingElse", a_flag_is_a_decision_and_nothing_else},
        {"TheProjectPicksThePolicy", the_project_picks_the_policy},
        {"LogprobsAreRefusedWhereOutputMayChange", logprobs_are_refused_where_output_may_change}};
}

}  // namespace quire::test
