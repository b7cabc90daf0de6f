#include "services/gateway/gateway_errors.hpp"

#include "runtime/json.hpp"
#include "tests/support/fake_exchange.hpp"

#include <gtest/gtest.h>

namespace quire::gateway {
namespace {

using namespace std::chrono_literals;

json::object body_of(const http::Response& response) {
    const auto parsed = runtime::parse_json(response.body);
    EXPECT_TRUE(parsed) << response.body;
    return parsed && parsed->is_object() ? parsed->get_object() : json::object();
}

std::string text_of(const json::value& value) {
    return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

TEST(OpenAiError, HasItsFourKeysAndOurDetailsBesideThem) {
    const Error error = Error(ErrorCode::kInsufficientQuota, "needs \"5\"")
                            .with_detail("balance", "3")
                            .with_detail("required", "5");

    EXPECT_EQ(openai_error(error, "abc"),
              R"({"error":{"message":"needs \"5\"","type":"insufficient_quota","param":null,)"
              R"("code":"insufficient_quota","metadata":{"balance":3,"required":5,)"
              R"("trace_id":"abc"}}})");
}

TEST(OpenAiError, NamesTheFieldAtFault) {
    const Error error = Error(ErrorCode::kInvalidValue, "bad")
                            .with_param("messages[0].role")
                            .with_detail("http_status", "422");

    EXPECT_EQ(openai_error(error, ""),
              R"({"error":{"message":"bad","type":"invalid_request_error",)"
              R"("param":"messages[0].role","code":"invalid_value","metadata":{}}})");
}

TEST(ErrorResponse, SpeaksTheDialectOfThePath) {
    const Error error = Error(ErrorCode::kInvalidValue, "bad").with_param("name");

    const auto openai = error_response(error, "/v1/models", "req_1", "t");
    const auto problem = error_response(error, "/api/v1/keys", "req_1", "t");

    EXPECT_EQ(openai.content_type, "application/json");
    EXPECT_EQ(text_of(body_of(openai).at("error").at("code")), "invalid_value");
    EXPECT_EQ(problem.content_type, "application/problem+json");
    EXPECT_EQ(text_of(body_of(problem).at("code")), "invalid_value");
    EXPECT_EQ(text_of(body_of(problem).at("request_id")), "req_1");
    EXPECT_EQ(text_of(body_of(problem).at("errors").at(0).at("pointer")), "/name");
}

TEST(ErrorResponse, SpeaksOpenAisDialectWhereThePathIsNobodys) {
    for (const std::string_view path : {"", "/", "/nothing", "/apiary"}) {
        EXPECT_EQ(error_response(Error(ErrorCode::kNotFound, "no"), path, "r", "").content_type,
                  "application/json")
            << path;
    }
}

TEST(ErrorResponse, HasStatusTypeAndHeadersOfEveryRow) {
    for (const std::string_view path : {"/v1/x", "/api/v1/x"}) {
        for (const ErrorRow& row : error_catalogue()) {
            const auto response = error_response(Error(row.code, "why"), path, "req_1", "t");
            const int status = row.http_status == 0 ? 500 : row.http_status;
            const bool needs_hint =
                status == 409 || status == 429 || status == 503 || status == 504;

            EXPECT_EQ(response.status, status) << row.name;
            EXPECT_EQ(test::header_of(response, "x-request-id"), "req_1") << row.name;
            EXPECT_EQ(test::header_of(response, "openai-version"),
                      path == "/v1/x" ? "2020-10-01" : "");
            EXPECT_EQ(test::header_of(response, "x-should-retry"), row.can_retry ? "" : "false");
            EXPECT_EQ(test::header_of(response, "retry-after"), needs_hint ? "1" : "") << row.name;
            EXPECT_EQ(test::header_of(response, "www-authenticate"), status == 401 ? "Bearer" : "");
        }
    }
}

TEST(ErrorResponse, RoundsTheHintUpToWholeSeconds) {
    const auto hint = [](std::chrono::milliseconds wait) {
        const Error error = Error(ErrorCode::kQueueFull, "wait").with_retry_after(wait);
        return test::header_of(error_response(error, "/v1", "r", ""), "retry-after");
    };

    EXPECT_EQ(hint(0ms), "1");
    EXPECT_EQ(hint(1000ms), "1");
    EXPECT_EQ(hint(1001ms), "2");
    EXPECT_EQ(hint(60s), "60");
}

TEST(ErrorResponse, KeepsAProviders422) {
    const Error error = Error(ErrorCode::kInvalidValue, "bad").with_detail("http_status", "422");

    EXPECT_EQ(error_response(error, "/v1", "r", "").status, 422);
    EXPECT_EQ(error_response(error, "/api/v1", "r", "").status, 422);
}

TEST(ErrorResponse, IsValidUtf8WhateverTheMessageHolds) {
    const Error error = Error(ErrorCode::kInvalidValue, "at \xff\xc3 here").with_param("\xfe");

    for (const std::string_view path : {"/v1/x", "/api/v1/x"}) {
        EXPECT_TRUE(runtime::is_valid_utf8(error_response(error, path, "r", "").body)) << path;
    }
}

}  // namespace
}  // namespace quire::gateway
