#include "runtime/config/values.hpp"

#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace quire::config {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

TEST(ParseDuration, ReadsAWholeNumberAndAUnit) {
    struct Row {
        std::string_view text;
        milliseconds value;
    };
    for (const Row& row : {Row{"0s", 0s}, Row{"1ms", 1ms}, Row{"500ms", 500ms}, Row{"30s", 30s},
                           Row{"5m", 5min}, Row{"2h", 2h}, Row{"30d", 720h}, Row{"007s", 7s}}) {
        const auto value = parse_duration(row.text);

        ASSERT_TRUE(value) << row.text;
        EXPECT_EQ(*value, row.value) << row.text;
    }
}

TEST(ParseDuration, RefusesEverythingElseAndSaysWhatIsGood) {
    for (const std::string_view bad :
         {"", "5", "s", "5 minutes", "5 s", "5minutes", "1.5s", "-5s", "+5s", " 5s", "5s ", "5S",
          "5us", "1h30m", "106751991168d", "9223372036854775808ms", "0x5s"}) {
        const auto value = parse_duration(bad);

        ASSERT_FALSE(value) << bad;
        EXPECT_NE(value.error().message().find("500ms, 30s, 5m, 2h or 30d"), std::string::npos);
    }
}

TEST(DurationText, ReadsBackTheSame) {
    for (const milliseconds value :
         {milliseconds(0), 1ms, milliseconds(999ms), milliseconds(1s), milliseconds(90s),
          milliseconds(1min), milliseconds(61min), milliseconds(2h), milliseconds(720h),
          milliseconds(3'600'001)}) {
        const auto again = parse_duration(duration_text(value));

        ASSERT_TRUE(again) << duration_text(value);
        EXPECT_EQ(*again, value) << duration_text(value);
    }
    EXPECT_EQ(duration_text(600s), "10m");
    EXPECT_EQ(duration_text(1500ms), "1500ms");
}

TEST(ParseInteger, TakesWholeNumbersOnly) {
    for (const std::string_view good : {"0", "-7", "9223372036854775807"}) {
        const auto value = parse_integer(good);

        ASSERT_TRUE(value) << good;
        EXPECT_EQ(std::to_string(*value), good);
    }
    for (const std::string_view bad :
         {"", "1.0", "1e3", "+1", " 1", "1 ", "0x10", "one", "9223372036854775808"}) {
        EXPECT_FALSE(parse_integer(bad)) << bad;
    }
}

TEST(ParseNumber, TakesFiniteNumbersOnly) {
    for (const std::string_view good : {"0", "-1.5", "1e3", ".5"}) {
        EXPECT_TRUE(parse_number(good)) << good;
    }
    for (const std::string_view bad : {"", "nan", "inf", "-inf", "1e999", "1,5", "1.5x", " 1"}) {
        EXPECT_FALSE(parse_number(bad)) << bad;
    }
}

TEST(ParseBool, TakesTrueAndFalseOnly) {
    EXPECT_TRUE(*parse_bool("true"));
    EXPECT_FALSE(*parse_bool("false"));
    for (const std::string_view bad : {"", "yes", "no", "1", "True", "on"}) {
        EXPECT_FALSE(parse_bool(bad)) << bad;
    }
}

TEST(ResolveSecret, ReadsTheEnvironment) {
    const auto secret = resolve_secret("env:LOCAL_KEY", {{"LOCAL_KEY", "sk-1"}});

    ASSERT_TRUE(secret);
    EXPECT_EQ(secret->value.reveal(), "sk-1");
    EXPECT_EQ(secret->reference, "env:LOCAL_KEY");
}

TEST(ResolveSecret, NamesAVariableThatIsNotSet) {
    for (const Environment& environment : {Environment{}, Environment{{"LOCAL_KEY", ""}}}) {
        const auto secret = resolve_secret("env:LOCAL_KEY", environment);

        ASSERT_FALSE(secret);
        EXPECT_EQ(secret.error().code(), ErrorCode::kMissingRequiredParameter);
        EXPECT_NE(secret.error().message().find("LOCAL_KEY"), std::string::npos);
    }
}

TEST(ResolveSecret, ReadsAFileWithoutItsLastLineEnd) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path() / "key";
    std::ofstream(path) << "sk-1 \r\n\n";

    const auto secret = resolve_secret("file:" + path, {});

    ASSERT_TRUE(secret);
    EXPECT_EQ(secret->value.reveal(), "sk-1 ");
}

TEST(ResolveSecret, NamesAFileThatIsMissingOrEmptyOrAFolder) {
    const test::TemporaryFolder folder;
    std::ofstream(folder.path() / "empty").flush();
    std::ofstream(folder.path() / "blank") << "\n";
    for (const std::string_view name : {"missing", "empty", "blank", "."}) {
        const std::string path = folder.path() / name;

        const auto secret = resolve_secret("file:" + path, {});

        ASSERT_FALSE(secret) << name;
        EXPECT_EQ(secret.error().code(), ErrorCode::kMissingRequiredParameter) << name;
        EXPECT_NE(secret.error().message().find(path), std::string::npos) << name;
    }
}

TEST(ResolveSecret, RefusesWhatWouldEndTheHeaderThatItIsSentIn) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path() / "key";
    for (const std::string text : {"sk-1\r\nx-other: 1", "sk\t1", "\x7F"}) {
        std::ofstream(path) << text;
        for (const std::string& reference : {std::string("env:LOCAL_KEY"), "file:" + path}) {
            const auto secret = resolve_secret(reference, {{"LOCAL_KEY", text}});

            ASSERT_FALSE(secret) << reference;
            EXPECT_EQ(secret.error().code(), ErrorCode::kInvalidValue);
            EXPECT_NE(secret.error().message().find(reference), std::string::npos);
            EXPECT_EQ(secret.error().message().find("sk-1"), std::string::npos);
        }
    }
}

TEST(ResolveSecret, RefusesASecretWrittenOutWithoutRepeatingIt) {
    for (const std::string written : {"sk-very-secret", "", "ENV:X", "env"}) {
        const auto secret = resolve_secret(written, {});

        ASSERT_FALSE(secret) << written;
        EXPECT_EQ(secret.error().code(), ErrorCode::kInvalidValue);
        EXPECT_EQ(secret.error().message().find("very-secret"), std::string::npos);
    }
}

}  // namespace
}  // namespace quire::config
