#include "providers/openai/upstream_error.hpp"

#include "runtime/json.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace quire::providers {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// 2026-09-21T14:13:20Z
constexpr Timestamp kNow{1'790'000'000'000'000};

Error error_of(int status, std::string_view body = "", std::vector<std::string> secrets = {}) {
    return to_error({status, "", "", body, std::move(secrets)}, kNow);
}

TEST(ToError, MapsEveryStatusToOurs) {
    using enum ErrorCode;
    struct Case {
        int status;
        ErrorCode code;
    };
    for (const Case& each : std::vector<Case>{
             {400, kInvalidValue},       {401, kUpstreamAuthFailed}, {402, kUpstreamError},
             {403, kUpstreamAuthFailed}, {404, kModelNotFound},      {408, kUpstreamError},
             {409, kUpstreamError},      {413, kRequestTooLarge},    {415, kUpstreamError},
             {418, kUpstreamError},      {422, kInvalidValue},       {429, kOverloaded},
             {500, kUpstreamError},      {502, kUpstreamError},      {503, kUpstreamError},
             {529, kUpstreamError},      {301, kUpstreamError},      {302, kUpstreamError},
             {204, kUpstreamError},      {101, kUpstreamError},
         }) {
        EXPECT_EQ(error_of(each.status, R"({"error":{"message":"m"}})").code(), each.code)
            << each.status;
    }
}

TEST(ToError, KeepsTheProvidersReasonOfABadRequest) {
    const Error known = error_of(400, R"({"error":{"message":"too long: 9 tokens",
        "code":"context_length_exceeded","param":"messages"}})");
    const Error unknown = error_of(400, R"({"error":{"message":"m","code":"model_not_found"}})");
    const Error number = error_of(400, R"({"error":{"message":"m","code":400}})");

    EXPECT_EQ(known.code(), ErrorCode::kContextLengthExceeded);
    EXPECT_EQ(known.detail("param"), "messages");
    EXPECT_NE(known.message().find("too long: 9 tokens"), std::string::npos);
    EXPECT_EQ(unknown.code(), ErrorCode::kInvalidValue);
    EXPECT_EQ(number.code(), ErrorCode::kInvalidValue);
}

TEST(ToError, ReadsEveryFormOfAnErrorBody) {
    for (const std::string_view body :
         {R"({"error":{"message":"out of range"}})", R"({"error":"out of range"})",
          R"({"message":"out of range"})", R"({"object":"error","message":"out of range"})"}) {
        EXPECT_EQ(error_of(400, body).message(), "the provider refused the request: out of range")
            << body;
    }
}

TEST(ToError, SaysTheStatusWhereTheBodySaysNothing) {
    for (const std::string_view body : {"{}", R"({"error":{}})"}) {
        EXPECT_EQ(error_of(404, body).message(), "the provider refused the request (404)") << body;
    }
}

TEST(ToError, BlamesNoClientForAPageOfAnotherServer) {
    for (const std::string_view body : {"", "<html>nope</html>", "[]"}) {
        EXPECT_EQ(error_of(404, body).code(), ErrorCode::kUpstreamError) << body;
    }
}

TEST(ToError, A422StaysOne) { EXPECT_EQ(error_of(422, "{}").detail("http_status"), "422"); }

TEST(ToError, NeverRepeatsWhatAFaultOfTheProviderSays) {
    const std::string_view body = R"({"error":{"message":"at https://user:pw@host/ key-1"}})";
    for (const int status : {401, 403, 429, 500, 503}) {
        const Error error = error_of(status, body);

        EXPECT_EQ(error.message().find("host"), std::string::npos) << error.message();
        EXPECT_EQ(error.message().find("key-1"), std::string::npos) << error.message();
    }
}

TEST(ToError, CleansMessageAndParamOfSecrets) {
    const Error error =
        error_of(400, R"({"error":{"message":"key K3Y! at gpu-7:8000","param":"K3Y!"}})",
                 {"K3Y!", "gpu-7:8000", "gpu-7"});

    EXPECT_EQ(error.message(), "the provider refused the request: key [redacted] at [redacted]");
    EXPECT_EQ(error.detail("param"), "[redacted]");
}

TEST(ToError, TakesTheHintOfACrowdedProviderOrFiveSeconds) {
    const auto hint = [](std::string_view seconds, std::string_view millis) {
        return to_error({429, seconds, millis, "", {}}, kNow).retry_after();
    };

    EXPECT_EQ(hint("7", ""), 7s);
    EXPECT_EQ(hint("7", "2500"), 2500ms);
    EXPECT_EQ(hint("", ""), 5s);
    EXPECT_EQ(hint("soon", ""), 5s);
}

TEST(ReadRetryAfter, TakesSecondsFractionsDatesAndMilliseconds) {
    struct Case {
        std::string_view seconds;
        std::string_view millis;
        std::optional<milliseconds> wait;
    };
    for (const Case& each : std::vector<Case>{
             {"", "", std::nullopt},
             {"12", "", 12s},
             {"1.5", "", 1500ms},
             {"0", "", 1s},
             {"-3", "", 1s},
             {"61", "", 60s},
             {"1e300", "", 60s},
             {"", "1200", 1200ms},
             {"", "1.5", 1s},
             {"", "99999999", 60s},
             {"30", "2000", 2s},
             {"30", "soon", 30s},
             {"Mon, 21 Sep 2026 14:13:50 GMT", "", 30s},
             {"Mon, 21 Sep 2026 14:13:20 GMT", "", 1s},
             {"Mon, 21 Sep 2026 14:00:00 GMT", "", 1s},
             {"Mon, 21 Sep 2026 15:13:20 GMT", "", 60s},
             {"2026-09-21T14:13:50Z", "", std::nullopt},
             {"soon", "", std::nullopt},
             {"nan", "", std::nullopt},
             {"inf", "", std::nullopt},
             {"5 seconds", "", std::nullopt},
         }) {
        EXPECT_EQ(read_retry_after(each.seconds, each.millis, kNow), each.wait)
            << each.seconds << "|" << each.millis;
    }
}

TEST(Cleaned, RemovesKeyHostUrlAndToken) {
    struct Case {
        std::string_view text;
        std::string_view clean;
    };
    const std::vector<std::string> secrets{"s3cret", "10.1.2.3:8000", "10.1.2.3", ""};
    for (const Case& each : std::vector<Case>{
             {"nothing to hide", "nothing to hide"},
             {"key s3cret, s3crets3cret.", "key [redacted], [redacted][redacted]."},
             {"at 10.1.2.3:8000 and 10.1.2.3!", "at [redacted] and [redacted]!"},
             {"see https://a.b/c?d=e#f now", "see [redacted] now"},
             {"(http://a.b/c), \"http://x\"", "([redacted]), \"[redacted]\""},
             {"Incorrect API key: sk-proj-12*34.", "Incorrect API key: [redacted]"},
             {"header Authorization: Bearer abc.def x", "header Authorization: [redacted] x"},
             {"bearer abc", "[redacted]"},
             {"http://", "[redacted]"},
         }) {
        EXPECT_EQ(cleaned(each.text, secrets), each.clean);
    }
}

TEST(Cleaned, CutsAtFiveHundredBytesBetweenCharacters) {
    EXPECT_EQ(cleaned(std::string(500, 'x'), {}).size(), 500u);
    EXPECT_EQ(cleaned(std::string(501, 'x'), {}).size(), 500u);
    EXPECT_EQ(cleaned(std::string(100'000, 'x'), {}).size(), 500u);
    for (const std::string_view wide : {"ß", "€", "🐝"}) {
        for (std::size_t before = 490; before < 501; ++before) {
            std::string text(before, 'x');
            while (text.size() < 520) text += wide;

            const std::string clean = cleaned(text, {});

            EXPECT_TRUE(runtime::is_valid_utf8(clean)) << wide << before;
            EXPECT_LE(clean.size(), 500u);
            EXPECT_GT(clean.size(), 500u - wide.size());
        }
    }
}

/// A secret that stands where a long text is cut must not show its beginning.
TEST(Cleaned, RemovesSecretsWhereverTheyStand) {
    const std::string secret = "K3Y-0123456789abcdefghijklmnopqrstuvwxyz";
    for (std::size_t before = 440; before < 2100; ++before) {
        const std::string clean = cleaned(std::string(before, 'x') + secret, {secret});

        ASSERT_EQ(clean.find("K3Y"), std::string::npos) << before;
    }
    // What is redacted before it shrinks the text, and moves it to the front.
    for (std::size_t length = 60; length < 2010; ++length) {
        const std::string text = "http://" + std::string(length, 'y') + " " + secret;

        ASSERT_EQ(cleaned(text, {secret}).find("K3Y"), std::string::npos) << length;
    }
}

TEST(Cleaned, TakesALongTextOfNothingButSecretsQuickly) {
    std::string text;
    while (text.size() < 1'000'000) text += "sk-K3Y ";
    const std::clock_t began = std::clock();  // of the processor, whatever else runs

    const std::string clean = cleaned(text, {"K3Y", "sk"});

    EXPECT_LT(std::clock() - began, 2 * CLOCKS_PER_SEC) << "its time grows with the square";
    EXPECT_TRUE(clean.starts_with("[redacted]")) << clean;
}

}  // namespace
}  // namespace quire::providers
