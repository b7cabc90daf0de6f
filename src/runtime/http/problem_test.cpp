#include "runtime/http/problem.hpp"

#include "runtime/json.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace quire::http {
namespace {

std::string header_of(const Response& response, std::string_view name) {
    const auto found = std::find_if(response.headers.begin(), response.headers.end(),
                                    [&](const auto& header) { return header.first == name; });
    return found == response.headers.end() ? "" : found->second;
}

TEST(Problem, NamesTheTraceWhereThereIsOne) {
    const auto body = runtime::parse_json(
        problem(Error(ErrorCode::kNotFound, "x"), "req_1", "0af7651916cd43dd8448eb211c80319c")
            .body);

    ASSERT_TRUE(body);
    EXPECT_EQ(body->at("trace_id").as_string(), "0af7651916cd43dd8448eb211c80319c");
}

TEST(Problem, SaysEverythingTheErrorKnows) {
    const Error error = Error(ErrorCode::kInvalidValue, "limit is 0; it must be 1 to 1000")
                            .with_param("limit")
                            .with_detail("required", "1");

    const Response response = problem(error, "req_1");

    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_EQ(header_of(response, "x-request-id"), "req_1");
    const auto body = runtime::parse_json(response.body);
    ASSERT_TRUE(body);
    EXPECT_EQ(json::serialize(*body),
              R"({"type":"urn:quire:error:invalid_value","title":"invalid value","status":400,)"
              R"("detail":"limit is 0; it must be 1 to 1000","code":"invalid_value",)"
              R"("request_id":"req_1","required":1,)"
              R"("errors":[{"pointer":"/limit","detail":"limit is 0; it must be 1 to 1000"}]})");
}

TEST(Problem, KeepsAParamThatIsAPointerAlready) {
    const Response response =
        problem(Error(ErrorCode::kMissingVariable, "x").with_param("/variables/topic"), "");

    EXPECT_NE(response.body.find(R"("pointer":"/variables/topic")"), std::string::npos);
    EXPECT_EQ(header_of(response, "x-request-id"), "");
}

TEST(Problem, TellsClientsWhatToDoNext) {
    struct Row {
        ErrorCode code;
        std::string_view retry_after;
        std::string_view should_retry;
        std::string_view authenticate;
    };
    for (const Row& row : {
             Row{ErrorCode::kInvalidValue, "", "false", ""},
             Row{ErrorCode::kInvalidApiKey, "", "false", "Bearer"},
             Row{ErrorCode::kIdempotencyInProgress, "1", "", ""},
             Row{ErrorCode::kQueueFull, "1", "", ""},
             Row{ErrorCode::kInternalError, "", "", ""},
             Row{ErrorCode::kUpstreamAuthFailed, "", "false", ""},
             Row{ErrorCode::kOverloaded, "1", "", ""},
             Row{ErrorCode::kUpstreamTimeout, "1", "", ""},
         }) {
        const Response response = problem(Error(row.code, "x"), "req_1");

        EXPECT_EQ(header_of(response, "retry-after"), row.retry_after) << response.body;
        EXPECT_EQ(header_of(response, "x-should-retry"), row.should_retry) << response.body;
        EXPECT_EQ(header_of(response, "www-authenticate"), row.authenticate) << response.body;
    }
}

TEST(Problem, ADetailReplacesNoMemberAndAPaidErrorForbidsARepeat) {
    const Error error = Error(ErrorCode::kStorageUnavailable, "x")
                            .with_detail("request_id", "req_0")
                            .with_detail("status", "200")
                            .as_paid();

    const Response response = problem(error, "req_1");

    EXPECT_NE(response.body.find(R"("request_id":"req_1")"), std::string::npos) << response.body;
    EXPECT_NE(response.body.find(R"("status":503)"), std::string::npos) << response.body;
    EXPECT_EQ(header_of(response, "x-should-retry"), "false");
    EXPECT_EQ(header_of(response, "retry-after"), "");
}

TEST(Problem, ADetailThatCountsIsANumberWhereItIsOne) {
    EXPECT_EQ(json::serialize(detail_json("balance", "-41")), "-41");
    EXPECT_EQ(json::serialize(detail_json("rule", "41")), R"("41")");
    for (const std::string_view text : {"", "x", "4x", "99999999999999999999"}) {
        EXPECT_EQ(detail_json("limit", text), json::value(text));
    }
}

TEST(Problem, WhatIsPaidForIsSoHoweverItWasCancelled) {
    for (const CancelReason reason :
         {CancelReason::kClientGone, CancelReason::kDeadline, CancelReason::kShutdown}) {
        EXPECT_TRUE(cancelled_by(reason, Error(ErrorCode::kCancelled, "x").as_paid()).is_paid());
        EXPECT_FALSE(cancelled_by(reason, Error(ErrorCode::kCancelled, "x")).is_paid());
    }
}

TEST(Problem, RoundsRetryAfterUpToWholeSeconds) {
    using std::chrono::milliseconds;
    struct Row {
        milliseconds after;
        std::string_view seconds;
    };
    for (const Row& row : {Row{milliseconds(0), "1"}, Row{milliseconds(1), "1"},
                           Row{milliseconds(1'001), "2"}, Row{milliseconds(30'000), "30"}}) {
        const Error error = Error(ErrorCode::kOverloaded, "x").with_retry_after(row.after);

        EXPECT_EQ(header_of(problem(error, ""), "retry-after"), row.seconds);
    }
}

TEST(Problem, ACancelledCallHasAStatusWhenItMustBeSent) {
    EXPECT_EQ(problem(Error(ErrorCode::kCancelled, "x"), "").status, 500);
}

TEST(Problem, EveryErrorIsValidJson) {
    for (const ErrorRow& row : error_catalogue()) {
        const Error error = Error(row.code, "a \"quoted\"\n message of \xFF bytes")
                                .with_param("\xFF")
                                .with_detail("limit", "\xC3");

        const Response response = problem(error, "req_1");

        EXPECT_TRUE(runtime::parse_json(response.body)) << row.name;
        EXPECT_GE(response.status, 400) << row.name;
    }
}

}  // namespace
}  // namespace quire::http
