#include "tests/contract/analytics_suite.hpp"

#include "base/clock.hpp"
#include "base/id.hpp"
#include "quire/credits/v1/credits.pb.h"
#include "quire/prompts/v1/prompts.pb.h"

#include <fmt/format.h>

namespace quire::test {
namespace {

using analytics::Analytics;
using analytics::v1::ListRequestsRequest;
using analytics::v1::ListRequestsResponse;
using analytics::v1::Request;
using common::v1::OutboxEvent;
using credits::v1::Settled;
using prompts::v1::GenerationStory;
using enum ErrorCode;

constexpr const char* kTrace = "00-07070707070707070707070707070707-0909090909090909-01";

std::string key_name(int number) { return fmt::format("key_{:026}", number); }

/// Young enough to outlive any retention.
Timestamp log_time(int number) {
    static const Timestamp began = SystemClock().now() - std::chrono::hours(1);
    return began + std::chrono::seconds(number);
}

std::string request_name(int number) {
    static const std::vector<std::string> names = [] {
        SystemRng rng;
        std::vector<std::string> made;
        for (int i = 0; i <= kLoggedRequests; ++i) {
            made.push_back("req_" + make_ulid(log_time(i), rng));
        }
        return made;
    }();
    return names.at(static_cast<std::size_t>(number));
}

class LogWriter {
public:
    void settle(int number, const std::string& status, const std::string& model, int key,
                std::int64_t cost) {
        Settled message;
        message.set_org_id(analytics_caller().principal.org_id);
        message.set_project_id(analytics_caller().principal.project_id);
        message.set_key_id(key_name(key));
        message.set_request_id(request_name(number));
        message.mutable_usage()->set_input_tokens(3);
        message.mutable_usage()->set_output_tokens(cost - 3);
        message.mutable_cost()->set_amount(cost);
        auto& line = *message.mutable_cost()->add_lines();
        line.set_class_("output");
        line.set_tokens(cost);
        line.set_price(1'000'000);
        line.set_amount(cost);
        message.mutable_outcome()->set_status(status);
        message.mutable_outcome()->set_model(model);
        message.mutable_outcome()->set_provider("local");
        add(log.settlements, "quire.credits.settled.v1", number, message);
    }
    static GenerationStory story(int number, const std::string& status, const std::string& model,
                                 int key) {
        GenerationStory message;
        message.set_org_id(analytics_caller().principal.org_id);
        message.set_project_id(analytics_caller().principal.project_id);
        message.set_key_id(key_name(key));
        message.set_request_id(request_name(number));
        message.set_at_us(log_time(number).micros);
        message.set_route("/v1/chat/completions");
        message.set_status(status);
        message.set_http_status(200);
        message.set_model(model);
        message.set_provider("local");
        message.set_trace_id("07070707070707070707070707070707");
        auto& step = *message.add_steps();
        step.set_name("admit");
        step.set_start_us(100);
        step.set_duration_us(200);
        return message;
    }
    void tell(int number, const GenerationStory& message) {
        const bool is_good = message.error_code().empty();
        add(log.stories,
            is_good ? "quire.prompts.generation_completed.v1"
                    : "quire.prompts.generation_failed.v1",
            number, message);
    }

    AnalyticsLog log;

private:
    static void add(std::vector<OutboxEvent>& events, const std::string& type, int number,
                    const google::protobuf::Message& message) {
        OutboxEvent& event = events.emplace_back();
        event.set_sequence(static_cast<std::int64_t>(events.size()));
        event.set_id(fmt::format("evt_{}_{}", type, number));
        event.set_type(type);
        event.set_subject(request_name(number));
        event.set_time_us(log_time(number).micros);
        event.set_traceparent(kTrace);
        event.set_data(message.SerializeAsString());
    }
};

common::v1::ReviewNote note(const std::string& stage, const std::string& action) {
    common::v1::ReviewNote made;
    made.set_stage(stage);
    made.set_rule("cards");
    made.set_kind("pii.card");
    made.set_action(action);
    made.set_count(2);
    return made;
}

AnalyticsLog write_log() {
    LogWriter writer;
    writer.settle(0, "completed", "writer", 0, 20);
    auto redacted = LogWriter::story(0, "completed", "writer", 0);
    redacted.set_streamed(true);
    *redacted.add_review() = note("output", "redact");
    redacted.mutable_content()->set_input("user: my card");
    redacted.mutable_content()->set_output("[redacted:cards]");
    writer.tell(0, redacted);

    writer.settle(1, "completed", "other", 0, 30);
    auto prompted = LogWriter::story(1, "completed", "other", 0);
    prompted.set_prompt("post");
    prompted.set_prompt_version(2);
    writer.tell(1, prompted);

    auto blocked = LogWriter::story(2, "blocked", "writer", 1);
    blocked.set_http_status(400);
    blocked.set_error_code("content_policy_violation");
    *blocked.add_review() = note("input", "block");
    writer.tell(2, blocked);

    auto failed = LogWriter::story(3, "failed", "writer", 0);
    failed.set_http_status(502);
    failed.set_error_code("upstream_error");
    failed.set_error_message("the provider failed");
    writer.tell(3, failed);

    writer.settle(4, "cancelled", "other", 1, 5);
    return writer.log;
}

/// "4 3": the requests of a page by their numbers.
std::string numbers_of(const ListRequestsResponse& page) {
    std::string numbers;
    for (const Request& request : page.requests()) {
        int number = 0;
        while (number < kLoggedRequests && request_name(number) != request.id()) ++number;
        numbers += fmt::format("{}{}", numbers.empty() ? "" : " ", number);
    }
    return numbers;
}

/// The page's numbers, and `more` where there are more.
awaitable<Result<std::string>> list(Analytics& port, ListRequestsRequest request) {
    const auto ctx = analytics_caller();
    QUIRE_CO_TRY(const auto page, port.list_requests(ctx, request));
    co_return numbers_of(page) + (page.has_more() ? " more" : "");
}

awaitable<Result<Request>> get(Analytics& port, int number) {
    const auto ctx = analytics_caller();
    analytics::v1::GetRequestRequest request;
    request.set_id(request_name(number));
    QUIRE_CO_TRY(const auto answer, port.get_request(ctx, request));
    co_return answer.request();
}

awaitable<Result<void>> the_newest_come_first_page_by_page(Analytics& port, Findings& found) {
    ListRequestsRequest request;
    QUIRE_CO_TRY(const auto all, list(port, request));
    found.expect_same(all, "4 3 2 1 0", "all");
    request.mutable_page()->set_limit(2);
    QUIRE_CO_TRY(const auto first, list(port, request));
    found.expect_same(first, "4 3 more", "the first page");
    request.mutable_page()->set_after(request_name(3));
    QUIRE_CO_TRY(const auto second, list(port, request));
    found.expect_same(second, "2 1 more", "the second page");
    request.mutable_page()->set_after(request_name(1));
    QUIRE_CO_TRY(const auto third, list(port, request));
    found.expect_same(third, "0", "the third page");
    co_return Result<void>();
}

awaitable<Result<void>> filters_narrow_together(Analytics& port, Findings& found) {
    ListRequestsRequest request;
    request.set_model("writer");
    QUIRE_CO_TRY(const auto by_model, list(port, request));
    found.expect_same(by_model, "3 2 0", "the model writer");
    request.set_key_id(key_name(0));
    QUIRE_CO_TRY(const auto by_key, list(port, request));
    found.expect_same(by_key, "3 0", "of the key 0");
    request.set_status("completed");
    QUIRE_CO_TRY(const auto by_status, list(port, request));
    found.expect_same(by_status, "0", "that were completed");
    request.set_model("nobody");
    QUIRE_CO_TRY(const auto none, list(port, request));
    found.expect_same(none, "", "of no model");
    co_return Result<void>();
}

awaitable<Result<void>> a_page_is_brief(Analytics& port, Findings& found) {
    const auto ctx = analytics_caller();
    const ListRequestsRequest request;
    QUIRE_CO_TRY(const auto page, port.list_requests(ctx, request));
    for (const Request& one : page.requests()) {
        found.expect(one.steps().empty(), one.id() + " has its steps");
        found.expect(one.cost().lines().empty(), one.id() + " has its cost lines");
        found.expect(!one.has_content(), one.id() + " has its texts");
    }
    co_return Result<void>();
}

awaitable<Result<void>> one_request_is_told_whole(Analytics& port, Findings& found) {
    QUIRE_CO_TRY(const Request request, get(port, 0));
    found.expect_same(request.id(), request_name(0), "id");
    found.expect(request.at_us() == log_time(0).micros, "another time");
    found.expect(request.streamed() && request.http_status() == 200, "another answer");
    found.expect_same(request.route(), "/v1/chat/completions", "route");
    found.expect_same(request.status(), "completed", "status");
    found.expect_same(request.model() + " " + request.provider(), "writer local", "model");
    found.expect_same(request.key_id(), key_name(0), "key");
    found.expect_same(request.trace_id(), "07070707070707070707070707070707", "trace");
    found.expect(request.steps_size() == 1 && request.steps(0).duration_us() == 200, "no steps");
    found.expect(request.review_size() == 1 && request.review(0).action() == "redact" &&
                     request.review(0).count() == 2,
                 "no review");
    found.expect_same(request.content().input(), "user: my card", "input");
    found.expect_same(request.content().output(), "[redacted:cards]", "output");
    co_return Result<void>();
}

awaitable<Result<void>> money_is_what_was_settled(Analytics& port, Findings& found) {
    constexpr std::array<std::int64_t, kLoggedRequests> kCosts{20, 30, 0, 0, 5};
    for (int number = 0; number < kLoggedRequests; ++number) {
        const std::int64_t wanted = kCosts.at(static_cast<std::size_t>(number));
        QUIRE_CO_TRY(const Request request, get(port, number));
        found.expect(request.cost().amount() == wanted,
                     fmt::format("{} costs {}", number, request.cost().amount()));
        std::int64_t sum = 0;
        for (const auto& line : request.cost().lines()) sum += line.amount();
        found.expect(sum == wanted, fmt::format("the lines of {} add up to {}", number, sum));
        const std::int64_t tokens =
            request.usage().input_tokens() + request.usage().output_tokens();
        found.expect(tokens == wanted, fmt::format("{} has {} tokens", number, tokens));
    }
    co_return Result<void>();
}

awaitable<Result<void>> how_it_ended_is_told(Analytics& port, Findings& found) {
    QUIRE_CO_TRY(const Request prompted, get(port, 1));
    found.expect_same(prompted.prompt(), "post", "prompt");
    found.expect(prompted.prompt_version() == 2, "another version");
    QUIRE_CO_TRY(const Request blocked, get(port, 2));
    found.expect_same(blocked.error_code(), "content_policy_violation", "blocked");
    found.expect(blocked.http_status() == 400, "blocked: another status");
    found.expect(blocked.review_size() == 1 && blocked.review(0).stage() == "input", "no review");
    QUIRE_CO_TRY(const Request failed, get(port, 3));
    found.expect_same(failed.error_code() + ": " + failed.error_message(),
                      "upstream_error: the provider failed", "failed");
    co_return Result<void>();
}

awaitable<Result<void>> money_without_a_story_has_its_page(Analytics& port, Findings& found) {
    QUIRE_CO_TRY(const Request request, get(port, 4));
    found.expect_same(request.status() + " " + request.model() + " " + request.provider(),
                      "cancelled other local", "what the settlement knows");
    found.expect_same(request.key_id(), key_name(1), "key");
    found.expect_same(request.trace_id(), "07070707070707070707070707070707", "trace");
    found.expect(request.at_us() == log_time(4).micros, "another time");
    co_return Result<void>();
}

awaitable<Result<void>> foreign_and_unknown_are_not_found_alike(Analytics& port, Findings& found) {
    auto other_project = analytics_caller();
    other_project.principal.project_id = "prj_2";
    auto other_organization = analytics_caller();
    other_organization.principal.org_id = "org_2";
    const ListRequestsRequest all;
    analytics::v1::GetRequestRequest known;
    known.set_id(request_name(0));
    for (const auto& ctx : {other_project, other_organization}) {
        QUIRE_CO_TRY(const auto page, port.list_requests(ctx, all));
        found.expect_same(numbers_of(page), "", "a foreign page");
        const auto foreign = co_await port.get_request(ctx, known);
        found.expect_refused(foreign, kNotFound, "a foreign request");
    }
    const auto unknown = co_await get(port, kLoggedRequests);
    found.expect_refused(unknown, kNotFound, "an unknown request");
    co_return Result<void>();
}

awaitable<Result<void>> what_is_out_of_range_is_refused(Analytics& port, Findings& found) {
    for (const int limit : {-1, 1001}) {
        ListRequestsRequest request;
        request.mutable_page()->set_limit(limit);
        co_await refused(found, list(port, request), kInvalidValue, "limit", "limit");
    }
    for (const char* cursor : {"req_1", "key_01ARZ3NDEKTSV4RRFFQ69G5FAV", "' OR 1"}) {
        ListRequestsRequest request;
        request.mutable_page()->set_after(cursor);
        co_await refused(found, list(port, request), kInvalidValue, cursor, "after");
    }
    ListRequestsRequest request;
    request.set_status("done");
    co_await refused(found, list(port, request), kInvalidValue, "status", "status");
    co_return Result<void>();
}

}  // namespace

const AnalyticsLog& analytics_contract_log() {
    static const AnalyticsLog log = write_log();
    return log;
}

rpc::CallContext analytics_caller() {
    rpc::CallContext ctx;
    ctx.trace.trace_id.fill(7);
    ctx.trace.span_id.fill(9);
    ctx.principal.org_id = "org_1";
    ctx.principal.project_id = "prj_1";
    ctx.principal.scopes = {"requests:read"};
    return ctx;
}

std::vector<AnalyticsCase> analytics_cases() {
    return {
        {"TheNewestComeFirstPageByPage", the_newest_come_first_page_by_page},
        {"FiltersNarrowTogether", filters_narrow_together},
        {"APageIsBrief", a_page_is_brief},
        {"OneRequestIsToldWhole", one_request_is_told_whole},
        {"MoneyIsWhatWasSettled", money_is_what_was_settled},
        {"HowItEndedIsTold", how_it_ended_is_told},
        {"MoneyWithoutAStoryHasItsPage", money_without_a_story_has_its_page},
        {"ForeignAndUnknownAreNotFoundAlike", foreign_and_unknown_are_not_found_alike},
        {"WhatIsOutOfRangeIsRefused", what_is_out_of_range_is_refused},
    };
}

}  // namespace quire::test
