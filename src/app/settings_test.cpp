#include "app/settings.hpp"

#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace quire::app {
namespace {

using namespace std::chrono_literals;
using config::Environment;

constexpr std::string_view kFile = R"(
gateway: {listen: "0.0.0.0:9000"}
providers:
  local: {kind: openai, base_url: "http://127.0.0.1:9000/v1", api_key: "env:LOCAL_KEY"}
models:
  writer: {provider: local, upstream_model: tiny, price: {input: 150000, output: 600000},
           context_tokens: 8192, max_output_tokens: 100, concurrency: 3, queue: 0,
           max_tokens_field: max_completion_tokens}
  another: {provider: local, price: {input: 0, output: 0}}
limits: {request_deadline: 90s, retries: 1, connect: 250ms}
log: {level: warn}
)";

class SettingsTest : public testing::Test {
protected:
    Result<Settings> load(std::string_view text) {
        std::ofstream(path_) << text;
        return load_settings(path_, environment_);
    }
    /// The error of a file that is wrong.
    Error error_of(std::string_view text) {
        const auto settings = load(text);
        EXPECT_FALSE(settings) << text;
        return settings ? Error(ErrorCode::kInternalError, "no error") : settings.error();
    }

    test::TemporaryFolder folder_;
    std::string path_ = folder_.path() / "quire.yaml";
    Environment environment_{{"LOCAL_KEY", "s3cret"}, {"PATH", "/bin"}};
};

TEST_F(SettingsTest, WithoutAFileAreTheDefaultsOfTheContract) {
    const auto settings = load_settings(std::nullopt, {});

    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->gateway.listen, "127.0.0.1:8700");
    EXPECT_EQ(settings->admin.listen, "127.0.0.1:8701");
    EXPECT_EQ(settings->limits.request_deadline, 600s);
    EXPECT_EQ(settings->limits.connect, 5s);
    EXPECT_EQ(settings->limits.first_token, 60s);
    EXPECT_EQ(settings->limits.between_tokens, 60s);
    EXPECT_EQ(settings->limits.queue_wait, 30s);
    EXPECT_EQ(settings->limits.retries, 2);
    EXPECT_EQ(settings->limits.body_bytes, 10 * 1024 * 1024);
    EXPECT_EQ(settings->shutdown.drain, 30s);
    EXPECT_TRUE(settings->models.empty());
    EXPECT_TRUE(settings->providers.empty());
}

TEST_F(SettingsTest, AnEmptyFileChangesNothing) {
    for (const std::string_view text : {"", "# only a comment\n", "limits:\n", "---\n"}) {
        const auto settings = load(text);

        ASSERT_TRUE(settings) << text;
        EXPECT_EQ(settings->limits.retries, 2);
    }
}

TEST_F(SettingsTest, AFileReplacesTheDefaultsItNames) {
    const auto settings = load(kFile);

    ASSERT_TRUE(settings) << settings.error().message();
    EXPECT_EQ(settings->gateway.listen, "0.0.0.0:9000");
    EXPECT_EQ(settings->admin.listen, "127.0.0.1:8701");
    EXPECT_EQ(settings->limits.request_deadline, 90s);
    EXPECT_EQ(settings->limits.retries, 1);
    EXPECT_EQ(settings->limits.connect, 250ms);
    EXPECT_EQ(settings->limits.first_token, 60s);
    EXPECT_EQ(settings->log.level, "warn");
}

TEST_F(SettingsTest, ReadsProvidersAndModelsInTheirOrder) {
    const auto settings = load(kFile);

    ASSERT_TRUE(settings);
    ASSERT_EQ(settings->providers.size(), 1u);
    EXPECT_EQ(settings->providers[0].second.base_url, "http://127.0.0.1:9000/v1");
    EXPECT_EQ(settings->providers[0].second.api_key.value.reveal(), "s3cret");
    ASSERT_EQ(settings->models.size(), 2u);
    EXPECT_EQ(settings->models[0].first, "writer");
    EXPECT_EQ(settings->models[1].first, "another");
    const providers::ModelConfig& writer = settings->models[0].second;
    EXPECT_EQ(writer.upstream_model, "tiny");
    EXPECT_EQ(writer.price.input, 150'000);
    EXPECT_EQ(writer.price.output, 600'000);
    EXPECT_EQ(writer.context_tokens, 8192);
    EXPECT_EQ(writer.max_output_tokens, 100);
    EXPECT_EQ(writer.concurrency, 3);
    EXPECT_EQ(writer.queue, 0);
    EXPECT_EQ(writer.max_tokens_field, "max_completion_tokens");
    const providers::ModelConfig& another = settings->models[1].second;
    EXPECT_EQ(another.context_tokens, 131'072);
    EXPECT_EQ(another.max_output_tokens, 4'096);
    EXPECT_EQ(another.concurrency, 64);
    EXPECT_EQ(another.queue, 1'024);
}

TEST_F(SettingsTest, TheEnvironmentReplacesTheFile) {
    environment_["QUIRE_LIMITS__RETRIES"] = "0";
    environment_["QUIRE_GATEWAY__LISTEN"] = "[::1]:0";
    environment_["QUIRE_SHUTDOWN__DRAIN"] = "1m";
    environment_["QUIRE_MODELS__WRITER__PRICE__INPUT"] = "7";

    const auto settings = load(kFile);

    ASSERT_TRUE(settings) << settings.error().message();
    EXPECT_EQ(settings->limits.retries, 0);
    EXPECT_EQ(settings->limits.request_deadline, 90s);
    EXPECT_EQ(settings->gateway.listen, "[::1]:0");
    EXPECT_EQ(settings->shutdown.drain, 1min);
    EXPECT_EQ(settings->models[0].second.price.input, 7);
    EXPECT_EQ(settings->models[0].second.price.output, 600'000);
}

TEST_F(SettingsTest, TheEnvironmentIsEnoughByItself) {
    environment_["QUIRE_RUNTIME__LOOPS"] = "3";

    const auto settings = load_settings(std::nullopt, environment_);

    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->runtime.loops, 3);
}

TEST_F(SettingsTest, OtherVariablesAreNoSettings) {
    environment_["QUIRE_API_KEY"] = "qk_live_x";
    environment_["QUIRELIMITS__RETRIES"] = "5";
    environment_["LIMITS__RETRIES"] = "5";

    const auto settings = load("");

    ASSERT_TRUE(settings) << settings.error().message();
    EXPECT_EQ(settings->limits.retries, 2);
}

TEST_F(SettingsTest, AnUnknownKeyIsAnErrorThatSuggestsAKnownOne) {
    struct Case {
        std::string_view text;
        std::vector<std::string_view> says;
    };
    for (const Case& each : std::vector<Case>{
             {"limts: {}", {"unknown setting 'limts'", "'limits'", "line 1"}},
             {"limits:\n  retrys: 1",
              {"unknown setting 'retrys'", "'retries'", "line 2", "limits"}},
             {"models: {m: {prise: 1}}", {"unknown setting 'prise'", "'price'", "models", "m"}},
             {"models: {m: {price: {inputs: 1}}}", {"unknown setting 'inputs'", "'input'"}},
         }) {
        const Error error = error_of(each.text);

        EXPECT_EQ(error.code(), ErrorCode::kUnsupportedParameter) << error.message();
        for (const std::string_view said : each.says) {
            EXPECT_NE(error.message().find(said), std::string::npos) << error.message();
        }
        EXPECT_NE(error.message().find(path_), std::string::npos) << error.message();
    }
}

TEST_F(SettingsTest, AnUnknownVariableIsAnErrorToo) {
    environment_["QUIRE_LIMITS__RETRYS"] = "1";

    const Error error = error_of("");

    EXPECT_EQ(error.code(), ErrorCode::kUnsupportedParameter);
    EXPECT_NE(error.message().find("'retrys'"), std::string::npos) << error.message();
}

TEST_F(SettingsTest, ThereIsRoomForOneBodyAtLeast) {
    const auto settings = load("limits: {body_bytes: 2000, bodies_bytes: 1999}");

    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->gateway_config().http.bodies_bytes_max, 2000U);
}

TEST_F(SettingsTest, AFileThatIsRightIsNotBlamedForAVariable) {
    environment_["QUIRE_LIMITS__RETRIES"] = "many";

    const Error of_variable = error_of("limits: {connect: 1s}");
    const Error of_file = error_of("limits: {connect: soon}");

    EXPECT_TRUE(of_variable.message().starts_with("environment: ")) << of_variable.message();
    EXPECT_TRUE(of_file.message().starts_with(path_)) << of_file.message();
}

TEST_F(SettingsTest, AVariableMayContradictTheFile) {
    environment_["QUIRE_PROVIDERS__EXTRA__BASE_URL"] = "http://127.0.0.1:1/v1";

    const Error error = error_of("limits: {connect: 1s}");

    EXPECT_TRUE(error.message().starts_with("environment: models: ")) << error.message();
}

TEST_F(SettingsTest, ABadValueIsNamedByItsPath) {
    struct Case {
        std::string_view text;
        std::string_view path;
    };
    for (const Case& each : std::vector<Case>{
             {"limits: {retries: many}", "limits: retries: "},
             {"limits: {retries: 11}", "limits: retries: "},
             {"limits: {retries: -1}", "limits: retries: "},
             {"limits: {connect: 5}", "limits: connect: "},
             {"limits: {connect: 5 minutes}", "limits: connect: "},
             {"limits: {connect: 0s}", "limits: connect: "},
             {"limits: {connect: {s: 5}}", "limits: connect: "},
             {"limits: 5", "limits: "},
             {"limits: [1]", "limits: "},
             {"log: {level: loud}", "log: level: "},
             {"gateway: {listen: here}", "gateway: listen: "},
             {"providers: {p: {kind: anthropic}}", "providers: p: kind: "},
             {"models: {m: {price: {input: -1}}}", "models: m: price: input: "},
             {"models: {m: {concurrency: 0}}", "models: m: concurrency: "},
         }) {
        const Error error = error_of(each.text);

        EXPECT_EQ(error.code(), ErrorCode::kInvalidValue) << error.message();
        EXPECT_NE(error.message().find(each.path), std::string::npos) << each.text << "\n"
                                                                      << error.message();
    }
}

TEST_F(SettingsTest, WhatIsNoMapOfSettingsIsRefused) {
    for (const std::string_view text :
         {"[1]", "text", "a: b: c", "{", "a: 1\na: 2", "a: &x 1\nb: *x"}) {
        EXPECT_EQ(error_of(text).code(), ErrorCode::kInvalidValue) << text;
    }
}

TEST_F(SettingsTest, AFileThatCannotBeReadIsNamed) {
    const auto settings = load_settings("/nowhere/quire.yaml", {});

    ASSERT_FALSE(settings);
    EXPECT_NE(settings.error().message().find("/nowhere/quire.yaml"), std::string::npos);
}

TEST_F(SettingsTest, AnUnsetVariableOfASecretIsNamed) {
    for (const std::string_view value : {"", "unset"}) {
        environment_.erase("LOCAL_KEY");
        if (value.empty()) environment_["LOCAL_KEY"] = "";

        const Error error = error_of(kFile);

        EXPECT_EQ(error.code(), ErrorCode::kMissingRequiredParameter);
        EXPECT_NE(error.message().find("LOCAL_KEY"), std::string::npos) << error.message();
        EXPECT_NE(error.message().find("api_key"), std::string::npos) << error.message();
    }
}

TEST_F(SettingsTest, ASecretWrittenOutIsRefusedAndNotRepeated) {
    const Error error = error_of("providers: {p: {kind: openai, api_key: s3cret-text}}");

    EXPECT_EQ(error.code(), ErrorCode::kInvalidValue);
    EXPECT_EQ(error.message().find("s3cret"), std::string::npos) << error.message();
}

TEST_F(SettingsTest, WhatIsPrintedReadsBackTheSameAndHoldsNoSecret) {
    const auto settings = load(kFile);
    ASSERT_TRUE(settings);
    std::string printed;
    settings_table().print(*settings, printed, 0);

    const auto again = load(printed);

    ASSERT_TRUE(again) << again.error().message() << "\n" << printed;
    std::string printed_again;
    settings_table().print(*again, printed_again, 0);
    EXPECT_EQ(printed_again, printed);
    EXPECT_EQ(printed.find("s3cret"), std::string::npos);
    EXPECT_NE(printed.find("env:LOCAL_KEY"), std::string::npos);
}

TEST_F(SettingsTest, HandsTheLimitsOnToTheServices) {
    const auto settings = load(kFile);
    ASSERT_TRUE(settings);

    const auto gateway = settings->gateway_config();
    const auto inference = settings->inference_config(settings->catalog());

    EXPECT_EQ(gateway.listen, "0.0.0.0:9000");
    EXPECT_EQ(gateway.request_deadline, 90s);
    EXPECT_EQ(gateway.retries, 1);
    EXPECT_EQ(inference.connect, 250ms);
    EXPECT_EQ(inference.queue_wait, 30s);
    EXPECT_EQ(inference.catalog.models.size(), 2u);
}

TEST(SettingsReference, HasALineForEverySetting) {
    const std::string page = settings_reference();

    for (const std::string_view key :
         {"gateway.listen", "admin.listen", "providers.NAME.api_key", "models.NAME.price.input",
          "limits.retries", "log.level", "runtime.loops", "shutdown.drain"}) {
        EXPECT_NE(page.find("| `" + std::string(key) + "` |"), std::string::npos) << key;
    }
    EXPECT_NE(page.find("| `limits.retries` | integer | `2` |"), std::string::npos);
}

}  // namespace
}  // namespace quire::app
