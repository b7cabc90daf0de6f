#include "runtime/rpc/wire/wire_format.hpp"

#include "base/id.hpp"
#include "runtime/json.hpp"

#include <gtest/gtest.h>

namespace quire::rpc {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

CallContext whole_context() {
    CallContext ctx;
    ctx.request_id = "req_01M84YTZVCKESBNN60DEPB1WMQ";
    ctx.principal = {"org_1", "prj_1", "usr_1", "key_1", {"inference", "keys:write"}, true};
    ctx.retries = std::make_shared<RetryBudget>(2);
    ctx.trace.trace_id.fill(7);
    ctx.trace.span_id.fill(9);
    ctx.trace.tracestate = "vendor=1";
    ctx.idempotency_key = "größe";
    ctx.is_shadow = true;
    ctx.route = "next";
    ctx.variant = "b";
    return ctx;
}

class WireFormatTest : public testing::Test {
protected:
    Result<CallContext> read(const HeaderList& headers) {
        return to_context(headers, clock_, rng_);
    }

    SystemClock clock_;
    SystemRng rng_;
};

TEST_F(WireFormatTest, AContextArrivesWhole) {
    const CallContext sent = whole_context();

    const auto came = read(to_headers(sent, "/a/B", "quire", clock_.steady()));

    ASSERT_TRUE(came);
    EXPECT_EQ(came->request_id, sent.request_id);
    EXPECT_EQ(came->principal.org_id, "org_1");
    EXPECT_EQ(came->principal.project_id, "prj_1");
    EXPECT_EQ(came->principal.user_id, "usr_1");
    EXPECT_EQ(came->principal.key_id, "key_1");
    EXPECT_EQ(came->principal.scopes, sent.principal.scopes);
    EXPECT_TRUE(came->principal.is_operator);
    EXPECT_EQ(came->retries->left(), 2);
    EXPECT_EQ(came->trace.traceparent(), sent.trace.traceparent());
    EXPECT_EQ(came->trace.tracestate, "vendor=1");
    EXPECT_EQ(came->idempotency_key, "größe");
    EXPECT_TRUE(came->is_shadow);
    EXPECT_EQ(came->route, "next");
    EXPECT_EQ(came->variant, "b");
    EXPECT_EQ(came->deadline, SteadyTime::max());
}

TEST_F(WireFormatTest, ADeadlineTravelsAsTheTimeThatIsLeft) {
    CallContext sent;
    const SteadyTime now = clock_.steady();
    sent.deadline = now + seconds(5);

    const auto came = read(to_headers(sent, "/a/B", "quire", now));

    ASSERT_TRUE(came);
    EXPECT_NEAR(std::chrono::duration<double>(came->deadline - now).count(), 5.0, 1.0);
}

TEST_F(WireFormatTest, AForeignCallerGetsARequestIdAndATrace) {
    const auto came = read({{":path", "/a/B"}, {"traceparent", "nonsense"}});

    ASSERT_TRUE(came);
    EXPECT_TRUE(came->request_id.starts_with("req_"));
    EXPECT_NE(came->trace.trace_id_hex(), std::string(32, '0'));
    EXPECT_FALSE(came->principal.is_operator);
    EXPECT_FALSE(came->retries->take());
}

TEST_F(WireFormatTest, WhatIsNoIdOfARequestIsReplaced) {
    for (const char* id : {"zzz", "req_1", "key_01M84YTZVCKESBNN60DEPB1WMQ", "req_\xFF"}) {
        const auto came = read({{":path", "/a/B"}, {"quire-request-id", id}});

        ASSERT_TRUE(came);
        EXPECT_TRUE(ulid_of(came->request_id, "req")) << id;
    }
}

TEST_F(WireFormatTest, ACallerHasNoEndlessRetries) {
    CallContext many = whole_context();
    many.retries = std::make_shared<RetryBudget>(2'000'000'000);

    const auto came = read(to_headers(many, "/a/B", "quire", clock_.steady()));

    ASSERT_TRUE(came);
    EXPECT_EQ(came->retries->left(), 10);
}

TEST_F(WireFormatTest, HeadersThatCannotBeReadAreNamed) {
    for (const auto& [name, value] : HeaderList{{"quire-principal-bin", "***"},
                                                {"quire-principal-bin", "//8="},
                                                {"quire-call-bin", "////"},
                                                {"grpc-timeout", "5"},
                                                {"grpc-timeout", "5x"}}) {
        const auto came = read({{name, value}});

        ASSERT_FALSE(came) << name << ": " << value;
        EXPECT_EQ(came.error().code(), ErrorCode::kInvalidValue);
        EXPECT_NE(came.error().message().find(name), std::string::npos) << came.error().message();
    }
}

TEST_F(WireFormatTest, EveryErrorComesBackAsItWas) {
    for (const ErrorRow& row : error_catalogue()) {
        const Error sent = Error(row.code, "größe: 100 % “so”\n")
                               .with_retry_after(milliseconds(1500))
                               .with_detail("limit", "3");

        const auto came = to_result(to_trailers(sent));

        ASSERT_FALSE(came) << row.name;
        EXPECT_EQ(came.error(), sent) << row.name;
    }
}

TEST_F(WireFormatTest, ThatAnErrorIsPaidForIsNoDetail) {
    const Error sent = Error(ErrorCode::kUpstreamError, "cut").as_paid();

    const auto came = to_result(to_trailers(sent));

    ASSERT_FALSE(came);
    EXPECT_TRUE(came.error().is_paid());
    EXPECT_TRUE(came.error().details().empty());
    EXPECT_FALSE(to_result(to_trailers(Error(sent.code(), "cut"))).error().is_paid());
}

TEST_F(WireFormatTest, ALongErrorStaysBelowWhatOthersTakeAsHeaders) {
    std::string said;
    while (said.size() < 5000) said += "größe";
    Error error(ErrorCode::kNotFound, said);
    error.add_detail("short", "kept");
    error.add_detail("long", std::string(5000, 'x'));

    const HeaderList trailers = to_trailers(error);
    const auto came = to_result(trailers);

    std::size_t bytes = 0;
    for (const auto& [name, value] : trailers) bytes += name.size() + value.size() + 32;
    EXPECT_LT(bytes, 7500U);
    ASSERT_FALSE(came);
    EXPECT_EQ(came.error().code(), ErrorCode::kNotFound);
    EXPECT_TRUE(said.starts_with(came.error().message()));
    EXPECT_TRUE(runtime::is_valid_utf8(came.error().message()));
    EXPECT_GT(came.error().message().size(), 1000U);
    EXPECT_EQ(came.error().detail("short"), "kept");
    EXPECT_EQ(came.error().detail("long"), "");
}

TEST_F(WireFormatTest, AGoodEndIsNoError) {
    const auto came = to_result(to_trailers(Result<void>()));

    EXPECT_TRUE(came);
}

TEST_F(WireFormatTest, ForeignStatusesAreToldApart) {
    const auto code_of = [](const HeaderList& headers) {
        const auto came = to_result(headers);
        return came ? std::string("ok") : std::string(came.error().name());
    };

    EXPECT_EQ(code_of({{"grpc-status", "14"}}), "overloaded");
    EXPECT_EQ(code_of({{"grpc-status", "1"}}), "overloaded");
    EXPECT_EQ(code_of({{"grpc-status", "4"}}), "deadline_exceeded");
    EXPECT_EQ(code_of({{"grpc-status", "12"}}), "internal_error");
    EXPECT_EQ(code_of({{"grpc-status", "x"}}), "internal_error");
    EXPECT_EQ(code_of({{":status", "503"}}), "overloaded");
    EXPECT_EQ(code_of({{":status", "404"}}), "internal_error");
}

TEST_F(WireFormatTest, DetailsOfOthersAreNotTakenForOurs) {
    HeaderList trailers = to_trailers(Error(ErrorCode::kInsufficientQuota, "empty"));
    trailers.back().second = base64_encode("\x08\x09");  // a Status without details

    const auto came = to_result(trailers);

    ASSERT_FALSE(came);
    EXPECT_EQ(came.error().code(), ErrorCode::kInternalError);
}

TEST_F(WireFormatTest, Base64TakesBothFormsAndNothingElse) {
    for (const std::string text : {"", "a", "ab", "abc", "abcd", "\xFF\xFE"}) {
        const std::string encoded = base64_encode(text);
        const std::string unpadded = encoded.substr(0, encoded.find('='));

        EXPECT_EQ(base64_decode(encoded), text);
        EXPECT_EQ(base64_decode(unpadded), text);
    }
    EXPECT_EQ(base64_decode("a"), std::nullopt);
    EXPECT_EQ(base64_decode("a*bc"), std::nullopt);
}

TEST_F(WireFormatTest, MessagesSurvivePercentCoding) {
    const std::string text = "50 % of größe\r\n";

    EXPECT_EQ(percent_encode_message("50 %"), "50 %25");
    EXPECT_EQ(percent_decode_message(percent_encode_message(text)), text);
    EXPECT_EQ(percent_decode_message("100%"), "100%");
    EXPECT_EQ(percent_decode_message("%4"), "%4");
    EXPECT_EQ(percent_decode_message("%zz"), "%zz");
    EXPECT_EQ(percent_decode_message("%41"), "A");
}

TEST_F(WireFormatTest, TimeoutsAreReadAndWritten) {
    EXPECT_EQ(to_grpc_timeout(milliseconds(5)), "5000u");
    EXPECT_EQ(to_grpc_timeout(milliseconds(-5)), "1u");
    EXPECT_EQ(to_grpc_timeout(std::chrono::hours(1)), "3600000m");
    EXPECT_EQ(parse_grpc_timeout("2H"), std::chrono::hours(2));
    EXPECT_EQ(parse_grpc_timeout("3M"), std::chrono::minutes(3));
    EXPECT_EQ(parse_grpc_timeout("4S"), seconds(4));
    EXPECT_EQ(parse_grpc_timeout("5m"), milliseconds(5));
    EXPECT_EQ(parse_grpc_timeout("6u"), microseconds(6));
    EXPECT_EQ(parse_grpc_timeout("7n"), std::chrono::nanoseconds(7));
    for (const char* text : {"", "m", "-1m", "1", "123456789m", "1.5S"}) {
        EXPECT_EQ(parse_grpc_timeout(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace quire::rpc
