#include "runtime/log.hpp"

#include "runtime/json.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace quire::runtime {
namespace {

constexpr std::string_view kTime = "2026-11-23T18:39:02.000123Z";

/// Puts back what the other tests expect: info, text.
class LogTest : public testing::Test {
protected:
    void TearDown() override { configure_log(LogLevel::info, LogFormat::text); }
};

std::string json_line(std::string_view phrase, std::initializer_list<LogField> fields) {
    return format_log(LogFormat::json, LogLevel::warn, kTime, phrase, fields);
}

TEST_F(LogTest, AJsonLineHoldsTimeLevelEventAndFields) {
    EXPECT_EQ(json_line("hold placed", {{"org", "org_1"}, {"micros", 5}, {"is_new", true}}),
              R"({"time":"2026-11-23T18:39:02.000123Z","level":"warn","event":"hold placed",)"
              R"("org":"org_1","micros":5,"is_new":true})");
}

TEST_F(LogTest, ATextLineHoldsTheSame) {
    EXPECT_EQ(format_log(LogFormat::text, LogLevel::info, kTime, "hold placed",
                         {{"org", "org_1"}, {"micros", 5}}),
              "2026-11-23T18:39:02.000123Z info  hold placed org=\"org_1\" micros=\"5\"");
}

TEST_F(LogTest, ASecretShowsAsStars) {
    const Secret secret("sk-very-secret");
    for (const LogFormat format : {LogFormat::json, LogFormat::text}) {
        const std::string line =
            format_log(format, LogLevel::info, kTime, "key read", {{"key", secret}});

        EXPECT_EQ(line.find("very-secret"), std::string::npos) << line;
        EXPECT_NE(line.find("***"), std::string::npos) << line;
    }
}

TEST_F(LogTest, AFieldCannotForgeALine) {
    const std::string evil = "x\"}\n{\"event\":\"forged\r\x1b[2J\xFF";
    for (const LogFormat format : {LogFormat::json, LogFormat::text}) {
        const std::string line = format_log(format, LogLevel::info, kTime, "a", {{"b", evil}});

        EXPECT_EQ(line.find_first_of(std::string_view("\n\r\x1b\0", 4)), std::string::npos) << line;
        EXPECT_TRUE(is_valid_utf8(line)) << line;
    }
}

TEST_F(LogTest, EveryJsonLineIsJson) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    for (const std::string& line : {
             json_line("", {}),
             json_line("a \"quoted\" phrase", {{"k\n", "v\xFF"}}),
             json_line("numbers", {{"a", -1}, {"b", 1.5}, {"c", 18446744073709551615ULL}}),
             json_line("no numbers", {{"a", kInfinity}, {"b", -kInfinity}, {"c", kInfinity * 0}}),
         }) {
        EXPECT_TRUE(parse_json(line)) << line;
    }
}

TEST_F(LogTest, WritesFromItsLevelOnToStderr) {
    configure_log(LogLevel::warn, LogFormat::json);

    testing::internal::CaptureStderr();
    QUIRE_LOG(info, "too quiet");
    QUIRE_LOG(warn, "just loud enough", {"count", 1});
    const std::string written = testing::internal::GetCapturedStderr();

    EXPECT_EQ(written.find("too quiet"), std::string::npos);
    ASSERT_TRUE(written.ends_with('\n'));
    const auto line = parse_json(written);
    ASSERT_TRUE(line) << written;
    EXPECT_EQ(text_member(line->as_object(), "event"), "just loud enough");
    EXPECT_EQ(text_member(line->as_object(), "level"), "warn");
    EXPECT_EQ(int_member(line->as_object(), "count"), 1);
}

TEST_F(LogTest, OffIsSilent) {
    configure_log(LogLevel::off, LogFormat::text);

    testing::internal::CaptureStderr();
    QUIRE_LOG(error, "unheard");

    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(LogTest, FieldsOfAnUnloggedLineAreNotEvenMade) {
    int made = 0;
    const auto costly = [&made] { return ++made; };

    QUIRE_LOG(debug, "too quiet", {"cost", costly()});

    EXPECT_EQ(made, 0);
}

}  // namespace
}  // namespace quire::runtime
