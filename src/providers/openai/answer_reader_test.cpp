#include "providers/openai/answer_reader.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace quire::providers {
namespace {

using common::v1::Channel;
using common::v1::Delta;

/// A chunk of one choice with this delta.
std::string chunk(std::string_view delta, std::string_view members = R"("finish_reason":null)") {
    return fmt::format(R"({{"id":"c","choices":[{{"index":0,"delta":{},{}}}]}})", delta, members);
}

/// A plain answer with this message.
std::string whole(std::string_view message, std::string_view members = R"("finish_reason":"stop")",
                  std::string_view beside = "") {
    return fmt::format(R"({{"choices":[{{"index":0,"message":{},{}}}]{}}})", message, members,
                       beside);
}

std::string usage(std::string_view members) {
    return fmt::format(R"({{"choices":[],"usage":{{{}}}}})", members);
}

/// What a reader makes of these events; the first error ends it.
struct Seen {
    AnswerReader reader;
    std::vector<Delta> deltas;
    std::string error;  ///< its name, "" when there is none
};

Seen read_events(const std::vector<std::string>& events) {
    Seen seen;
    for (const std::string& event : events) {
        const auto read = seen.reader.read_event(event);
        if (!read) {
            seen.error = read.error().name();
            return seen;
        }
        const auto& deltas = seen.reader.deltas();
        seen.deltas.insert(seen.deltas.end(), deltas.begin(), deltas.end());
    }
    return seen;
}

Seen read_whole(std::string_view body) {
    Seen seen;
    const auto read = seen.reader.read_whole(body);
    if (!read) seen.error = read.error().name();
    seen.deltas = seen.reader.deltas();
    return seen;
}

std::string text_of(const std::vector<Delta>& deltas, Channel channel) {
    std::string text;
    for (const Delta& delta : deltas) {
        if (delta.channel() == channel) text += delta.text();
    }
    return text;
}

TEST(AnswerReader, ReadsTextPieceByPiece) {
    const Seen seen = read_events({chunk(R"({"role":"assistant","content":""})"),
                                   chunk(R"({"content":"Grö"})"), chunk(R"({"content":"ße 🐝"})"),
                                   chunk("{}", R"("finish_reason":"stop")"), "[DONE]"});

    EXPECT_EQ(seen.error, "");
    ASSERT_EQ(seen.deltas.size(), 2u);
    EXPECT_EQ(seen.deltas[0].channel(), Channel::CONTENT);
    EXPECT_EQ(text_of(seen.deltas, Channel::CONTENT), "Größe 🐝");
    EXPECT_EQ(seen.reader.completion().finish_reason, "stop");
    EXPECT_TRUE(seen.reader.is_done());
}

TEST(AnswerReader, ForgetsTheDeltasOfTheEventBefore) {
    AnswerReader reader;
    ASSERT_TRUE(reader.read_event(chunk(R"({"content":"a"})")));
    EXPECT_EQ(reader.deltas().size(), 1u);

    ASSERT_TRUE(reader.read_event(chunk("{}")));
    EXPECT_TRUE(reader.deltas().empty());
    ASSERT_TRUE(reader.read_event(chunk(R"({"content":"b"})")));
    ASSERT_TRUE(reader.read_event("[DONE]"));
    EXPECT_TRUE(reader.deltas().empty());
}

TEST(AnswerReader, ReadsReasoningInEitherSpelling) {
    const Seen seen = read_events(
        {chunk(R"({"reasoning_content":"hm "})"), chunk(R"({"reasoning":"so "})"),
         chunk(R"({"reasoning_content":"both","reasoning":"both"})"), chunk(R"({"content":"x"})")});

    EXPECT_EQ(text_of(seen.deltas, Channel::REASONING), "hm so both");
    EXPECT_EQ(text_of(seen.deltas, Channel::CONTENT), "x");
}

TEST(AnswerReader, ReadsARefusal) {
    const Seen seen = read_events({chunk(R"({"content":null,"refusal":"I cannot"})")});

    ASSERT_EQ(seen.deltas.size(), 1u);
    EXPECT_EQ(text_of(seen.deltas, Channel::REFUSAL), "I cannot");
}

TEST(AnswerReader, ReadsAStreamedToolCall) {
    const Seen seen = read_events({
        chunk(R"({"tool_calls":[{"index":0,"id":"c1","type":"function",
                  "function":{"name":"f","arguments":""}}]})"),
        chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]})"),
        chunk(R"({"tool_calls":[{"index":1,"id":"c2","type":"function",
                  "function":{"name":"g","arguments":"{}"}},
                  {"index":0,"function":{"arguments":"1}"}}]})"),
    });

    ASSERT_EQ(seen.deltas.size(), 4u);
    for (const Delta& delta : seen.deltas) EXPECT_EQ(delta.channel(), Channel::TOOL_CALL);
    EXPECT_EQ(seen.deltas[0].tool_call().id(), "c1");
    EXPECT_EQ(seen.deltas[0].tool_call().type(), "function");
    EXPECT_EQ(seen.deltas[0].tool_call().name(), "f");
    EXPECT_EQ(seen.deltas[1].tool_call().arguments(), R"({"a":)");
    EXPECT_EQ(seen.deltas[1].tool_call().type(), "");
    EXPECT_EQ(seen.deltas[2].tool_call().index(), 1);
    EXPECT_EQ(seen.deltas[3].tool_call().index(), 0);
}

TEST(AnswerReader, GivesTheFirstPieceOfAToolCallItsType) {
    const Seen seen =
        read_events({chunk(R"({"tool_calls":[{"index":0,"id":"c1","function":{"name":"f"}}]})"),
                     chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]})")});

    ASSERT_EQ(seen.deltas.size(), 2u);
    EXPECT_EQ(seen.deltas[0].tool_call().type(), "function");
    EXPECT_EQ(seen.deltas[1].tool_call().type(), "");
}

TEST(AnswerReader, NumbersToolCallsThatComeWithoutAnIndex) {
    const Seen seen = read_whole(whole(R"({"content":null,"tool_calls":[
        {"id":"c1","function":{"name":"f","arguments":"{}"}},
        {"id":"c2","function":{"name":"g","arguments":"{}"}}]})",
                                       R"("finish_reason":"tool_calls")"));

    ASSERT_EQ(seen.deltas.size(), 2u);
    EXPECT_EQ(seen.deltas[0].tool_call().index(), 0);
    EXPECT_EQ(seen.deltas[1].tool_call().index(), 1);
    EXPECT_EQ(seen.deltas[1].tool_call().name(), "g");
    EXPECT_EQ(seen.reader.completion().finish_reason, "tool_calls");
}

/// As Mistral's reasoning models answer.
TEST(AnswerReader, ReadsContentThatIsAListOfParts) {
    constexpr std::string_view kParts = R"({"content":[
        {"type":"thinking","thinking":[{"type":"text","text":"hm "},{"type":"text","text":"so"}]},
        {"type":"text","text":"a"},{"type":"reference","reference_ids":[1]},
        {"type":"text","text":"b"}]})";
    for (const Seen& seen : {read_events({chunk(kParts)}), read_whole(whole(kParts))}) {
        EXPECT_EQ(text_of(seen.deltas, Channel::REASONING), "hm so");
        EXPECT_EQ(text_of(seen.deltas, Channel::CONTENT), "ab");
    }
}

TEST(AnswerReader, TellsOneOfOpenAisReasons) {
    const auto reason_of = [](std::string_view told) {
        return read_events({chunk("{}", fmt::format(R"("finish_reason":"{}")", told))})
            .reader.completion()
            .finish_reason;
    };
    for (const std::string_view known :
         {"stop", "length", "tool_calls", "content_filter", "function_call"}) {
        EXPECT_EQ(reason_of(known), known);
    }
    EXPECT_EQ(reason_of("eos"), "stop");
    EXPECT_EQ(reason_of("MAX_TOKENS"), "length");
    EXPECT_EQ(reason_of("model_length"), "length");
    EXPECT_EQ(reason_of("SAFETY"), "content_filter");
    for (const std::string_view failure : {"error", "abort", "insufficient_system_resource"}) {
        const std::string members = fmt::format(R"("finish_reason":"{}")", failure);
        EXPECT_EQ(read_events({chunk("{}", members)}).error, "upstream_error") << failure;
        EXPECT_EQ(read_whole(whole("{}", members)).error, "upstream_error") << failure;
    }
}

TEST(AnswerReader, CallsEndWithToolCalls) {
    constexpr std::string_view kCall =
        R"({"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{}"}}]})";
    for (const std::string_view told : {"stop", "STOP", "eos", "tool_use"}) {
        const std::string members = fmt::format(R"("finish_reason":"{}")", told);
        EXPECT_EQ(read_events({chunk(kCall, members)}).reader.completion().finish_reason,
                  "tool_calls")
            << told;
    }
    EXPECT_EQ(read_whole(whole(kCall, R"("finish_reason":null)")).reader.completion().finish_reason,
              "tool_calls");
    EXPECT_EQ(read_events({chunk(kCall, R"("finish_reason":"length")")})
                  .reader.completion()
                  .finish_reason,
              "length");
}

TEST(AnswerReader, ReadsAPlainAnswerAsAWhole) {
    const Seen seen = read_whole(
        whole(R"({"role":"assistant","reasoning_content":"r","content":"c","refusal":null})",
              R"("finish_reason":"length","logprobs":{"content":[]})",
              R"(,"usage":{"prompt_tokens":3,"completion_tokens":4})"));

    EXPECT_EQ(seen.error, "");
    EXPECT_EQ(text_of(seen.deltas, Channel::REASONING), "r");
    EXPECT_EQ(text_of(seen.deltas, Channel::CONTENT), "c");
    EXPECT_EQ(seen.deltas.back().logprobs_json(), R"({"content":[]})");
    EXPECT_EQ(seen.reader.completion().finish_reason, "length");
    EXPECT_EQ(seen.reader.completion().usage->output_tokens(), 4);
    EXPECT_TRUE(seen.reader.is_done());
}

TEST(AnswerReader, APlainAnswerWithoutAReasonStoppedByItself) {
    const Seen seen = read_whole(whole(R"({"content":"c"})", R"("finish_reason":null)"));

    EXPECT_EQ(seen.reader.completion().finish_reason, "stop");
}

TEST(AnswerReader, KeepsTheLogprobsOfAPiece) {
    const Seen seen =
        read_events({chunk(R"({"content":"x"})", R"("logprobs":{"content":[{"token":"x"}]})"),
                     chunk("{}", R"("logprobs":{"content":[]},"finish_reason":"stop")")});

    ASSERT_EQ(seen.deltas.size(), 1u);
    EXPECT_EQ(seen.deltas[0].logprobs_json(), R"({"content":[{"token":"x"}]})");
}

TEST(AnswerReader, ReadsChoiceZeroOnly) {
    const Seen seen = read_events({
        R"({"choices":[{"index":1,"delta":{"content":"no"}},{"index":0,"delta":{"content":"yes"}}]})",
        R"({"choices":[{"index":2,"delta":{"content":"no"},"finish_reason":"stop"}]})",
        R"({"choices":[{"delta":{"content":"!"}}]})",
    });

    EXPECT_EQ(text_of(seen.deltas, Channel::CONTENT), "yes!");
    EXPECT_FALSE(seen.reader.has_finished());
}

TEST(AnswerReader, TakesUsageBeforeWithAndAfterTheFinish) {
    const std::string counted = usage(R"("prompt_tokens":5,"completion_tokens":7)");
    const std::string finish = chunk("{}", R"("finish_reason":"stop")");
    for (const auto& events : {std::vector<std::string>{counted, finish, "[DONE]"},
                               std::vector<std::string>{finish, counted, "[DONE]"}}) {
        const Seen seen = read_events(events);

        ASSERT_TRUE(seen.reader.completion().usage);
        EXPECT_EQ(seen.reader.completion().usage->input_tokens(), 5);
        EXPECT_EQ(seen.reader.completion().usage->output_tokens(), 7);
        EXPECT_TRUE(seen.reader.has_finished());
    }
}

TEST(AnswerReader, TakesTheLastOfSeveralCounts) {
    const Seen seen = read_events({usage(R"("prompt_tokens":5,"completion_tokens":1)"),
                                   usage(R"("prompt_tokens":5,"completion_tokens":2)"),
                                   R"({"choices":[],"usage":null})"});

    ASSERT_TRUE(seen.reader.completion().usage);
    EXPECT_EQ(seen.reader.completion().usage->output_tokens(), 2);
}

TEST(AnswerReader, TellsZeroTokensFromNoCount) {
    const Seen zero = read_events({usage(R"("prompt_tokens":0,"completion_tokens":0)")});
    const Seen none = read_events({chunk(R"({"content":"x"})")});

    ASSERT_TRUE(zero.reader.completion().usage);
    EXPECT_EQ(zero.reader.completion().usage->output_tokens(), 0);
    EXPECT_FALSE(none.reader.completion().usage);
}

TEST(AnswerReader, IgnoresCountsThatNobodyCanMean) {
    for (const std::string_view members : {
             R"("prompt_tokens":-1,"completion_tokens":1)",
             R"("prompt_tokens":1,"completion_tokens":-1)",
             R"("prompt_tokens":1,"completion_tokens":9223372036854775808)",
             R"("prompt_tokens":9223372036854775807,"completion_tokens":1)",
             R"("prompt_tokens":1,"completion_tokens":1099511627777)",
             R"("prompt_tokens":1.5,"completion_tokens":1)",
             R"("prompt_tokens":"1","completion_tokens":"1")",
             R"("prompt_tokens":1,"completion_tokens":null)",
             R"("total_tokens":1)",
             "",
         }) {
        const Seen seen = read_events({usage(members)});

        EXPECT_EQ(seen.error, "") << members;
        EXPECT_FALSE(seen.reader.completion().usage) << members;
    }
}

TEST(AnswerReader, TakesTheDetailsThatMakeSense) {
    const Seen seen = read_events({usage(R"("prompt_tokens":9,"completion_tokens":8,
        "prompt_tokens_details":{"cached_tokens":0},
        "completion_tokens_details":{"reasoning_tokens":-3})")});

    ASSERT_TRUE(seen.reader.completion().usage);
    const common::v1::Usage counted = *seen.reader.completion().usage;
    EXPECT_TRUE(counted.has_cached_tokens());
    EXPECT_EQ(counted.cached_tokens(), 0);
    EXPECT_FALSE(counted.has_reasoning_tokens());
    EXPECT_FALSE(counted.estimated());
}

TEST(AnswerReader, CountsReasoningThatStandsBesideTheCompletion) {
    struct Case {
        std::string_view total;
        std::int64_t output;
    };
    for (const Case& each : {Case{R"(,"total_tokens":57)", 48}, Case{R"(,"total_tokens":17)", 8},
                             Case{R"(,"total_tokens":99)", 8}, Case{"", 8}}) {
        const Seen seen = read_events({usage(fmt::format(
            R"("prompt_tokens":9,"completion_tokens":8,"completion_tokens_details":{{"reasoning_tokens":40}}{})",
            each.total))});

        ASSERT_TRUE(seen.reader.completion().usage);
        EXPECT_EQ(seen.reader.completion().usage->output_tokens(), each.output) << each.total;
    }
}

TEST(AnswerReader, RefusesWhatIsNoAnswer) {
    for (const std::string_view garbage :
         {"", "x", "{", "[]", "5", "null", R"("text")", R"({"error":{"message":"overloaded"}})",
          R"({"error":"overloaded"})", R"({"error":{"message":5},"choices":[]})", "[DONE",
          " [DONE]", "\xff", R"({"choices":[{"delta":{"content":")"}) {
        EXPECT_EQ(read_events({std::string(garbage)}).error, "upstream_error") << garbage;
        EXPECT_EQ(read_whole(garbage).error, "upstream_error") << garbage;
    }
}

TEST(AnswerReader, RefusesAPlainAnswerWithoutAMessage) {
    for (const std::string_view body :
         {"{}", R"({"choices":null})", R"({"choices":[]})", R"({"choices":[{"index":1}]})",
          R"({"choices":[{"index":0}]})", R"({"choices":[{"index":0,"message":"x"}]})"}) {
        EXPECT_EQ(read_whole(body).error, "upstream_error") << body;
    }
}

TEST(AnswerReader, PassesOverChunksThatSayNothing) {
    const Seen seen = read_events(
        {"{}", R"({"choices":null})", R"({"choices":[5,null]})", R"({"error":null,"choices":[]})",
         R"({"choices":[{"index":0}]})", R"({"choices":[{"index":0,"delta":null}]})",
         chunk(R"({"content":5,"reasoning":[],"refusal":{},"tool_calls":{}})"),
         chunk(R"({"tool_calls":[null,5]})", R"("finish_reason":5)")});

    EXPECT_EQ(seen.error, "");
    EXPECT_TRUE(seen.deltas.empty());
    EXPECT_FALSE(seen.reader.has_finished());
    EXPECT_FALSE(seen.reader.is_done());
}

TEST(AnswerReader, TakesTheCodeOfAReportedErrorForTheStatusOfOne) {
    struct Case {
        std::string_view code;
        std::string_view error;
    };
    const std::vector<std::string> secrets{"K3Y"};
    for (const Case& each : std::vector<Case>{{"429", "overloaded"},
                                              {R"("429")", "overloaded"},
                                              {"400", "invalid_value"},
                                              {"404", "model_not_found"},
                                              {"401", "upstream_auth_failed"},
                                              {"499", "upstream_error"},
                                              {"500", "upstream_error"},
                                              {"7", "upstream_error"},
                                              {R"("x400")", "upstream_error"}}) {
        AnswerReader reader(secrets);

        const auto read = reader.read_event(
            fmt::format(R"({{"error":{{"message":"no K3Y","code":{}}}}})", each.code));

        ASSERT_FALSE(read) << each.code;
        EXPECT_EQ(read.error().name(), each.error) << each.code;
        EXPECT_EQ(read.error().message().find("K3Y"), std::string::npos);
    }
}

TEST(AnswerReader, AnErrorAfterTheFirstContentIsABrokenAnswerWhateverItsCode) {
    const Seen seen = read_events(
        {chunk(R"({"content":"a"})"), R"({"error":{"message":"too long","code":400}})"});

    EXPECT_EQ(seen.error, "upstream_error");
}

/// Its words may quote the prompt or a key, and this message goes to the log.
TEST(AnswerReader, TellsTheCodeOfAReportedErrorButNotItsWords) {
    AnswerReader reader;

    const auto read = reader.read_event(R"({"error":{"message":"at sk-1: hello","code":"oom"}})");

    ASSERT_FALSE(read);
    EXPECT_NE(read.error().message().find("'oom'"), std::string::npos) << read.error().message();
    EXPECT_EQ(read.error().message().find("hello"), std::string::npos) << read.error().message();
}

TEST(AnswerReader, StaysDoneWhateverComesAfterTheEnd) {
    const Seen seen = read_events(
        {chunk("{}", R"("finish_reason":"stop")"), "[DONE]", chunk(R"({"content":"late"})")});

    EXPECT_TRUE(seen.reader.is_done());
    EXPECT_EQ(seen.reader.completion().finish_reason, "stop");
}

}  // namespace
}  // namespace quire::providers
