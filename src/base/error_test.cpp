#include "base/error.hpp"

#include <gtest/gtest.h>

#include <set>

namespace quire {
namespace {

TEST(ErrorCatalogue, NamesAreUniqueAndLeadBack) {
    std::set<std::string_view> names;
    for (const ErrorRow& row : error_catalogue()) {
        EXPECT_TRUE(names.insert(row.name).second) << row.name;
        EXPECT_EQ(error_code_named(row.name), row.code) << row.name;
        EXPECT_EQ(&row_of(row.code), &row) << row.name;
    }
}

TEST(ErrorCatalogue, NamesAreSnakeCase) {
    for (const ErrorRow& row : error_catalogue()) {
        EXPECT_EQ(row.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos)
            << row.name;
    }
}

TEST(ErrorCatalogue, EveryStatusHasItsOpenAiType) {
    for (const ErrorRow& row : error_catalogue()) {
        EXPECT_FALSE(row.meaning.empty()) << row.name;
        if (row.http_status == 0) continue;
        EXPECT_GE(row.http_status, 400) << row.name;
        EXPECT_LT(row.http_status, 600) << row.name;
        EXPECT_EQ(row.openai_type == "server_error", row.http_status >= 500) << row.name;
    }
}

TEST(ErrorCatalogue, SaysWhichFailuresMayPass) {
    struct Row {
        ErrorCode code;
        int http_status;
        bool can_retry;
    };
    for (const Row& row : {
             Row{ErrorCode::kInvalidJson, 400, false},
             Row{ErrorCode::kInvalidApiKey, 401, false},
             Row{ErrorCode::kInsufficientQuota, 402, false},
             Row{ErrorCode::kIdempotencyInProgress, 409, true},
             Row{ErrorCode::kQueueFull, 429, true},
             Row{ErrorCode::kUpstreamError, 502, true},
             Row{ErrorCode::kUpstreamAuthFailed, 502, false},
             Row{ErrorCode::kStorageUnavailable, 503, true},
             Row{ErrorCode::kDeadlineExceeded, 504, true},
             Row{ErrorCode::kCancelled, 0, false},
         }) {
        EXPECT_EQ(row_of(row.code).http_status, row.http_status) << row_of(row.code).name;
        EXPECT_EQ(row_of(row.code).can_retry, row.can_retry) << row_of(row.code).name;
    }
}

TEST(ErrorCodeNamed, KnowsNoOtherNames) {
    EXPECT_EQ(error_code_named("insufficient_quota"), ErrorCode::kInsufficientQuota);
    EXPECT_EQ(error_code_named(""), std::nullopt);
    EXPECT_EQ(error_code_named("Not_Found"), std::nullopt);
    EXPECT_EQ(error_code_named("not_found "), std::nullopt);
}

TEST(Error, CarriesFactsForPrograms) {
    const Error error = Error(ErrorCode::kInsufficientQuota, "too little")
                            .with_detail("balance", "3")
                            .with_param("amount")
                            .with_retry_after(std::chrono::seconds(2));

    EXPECT_EQ(error.name(), "insufficient_quota");
    EXPECT_EQ(error.detail("balance"), "3");
    EXPECT_EQ(error.detail("param"), "amount");
    EXPECT_EQ(error.detail("limit"), "");
    EXPECT_EQ(error.retry_after(), std::chrono::milliseconds(2'000));
}

TEST(Error, ContextComesBeforeTheMessageAndChangesNothingElse) {
    const Error error = Error(ErrorCode::kNotFound, "no such file").with_detail("limit", "1");

    const Error wrapped = Error(error).in("config").in("start");

    EXPECT_EQ(wrapped.message(), "start: config: no such file");
    EXPECT_EQ(wrapped.code(), ErrorCode::kNotFound);
    EXPECT_EQ(wrapped.details(), error.details());
}

}  // namespace
}  // namespace quire
