#include "services/gateway/chat_json_writer.hpp"

#include "runtime/json.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace quire::gateway {
namespace {

using common::v1::Delta;

const ChatIdentity kChunkIdentity{"chatcmpl-1", "writer", 1'790'000'000};
constexpr std::string_view kBegin =
    R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,)"
    R"("model":"writer","choices":[)";

/// A chunk that ends with `rest` and the empty line.
std::string chunk_with(std::string_view rest) { return fmt::format("{}{}\n\n", kBegin, rest); }

std::string chunk_of(const Delta& delta, bool has_usage = false) {
    std::string out;
    ChunkWriter(kChunkIdentity, has_usage).append_delta(out, delta);
    return out;
}

/// The `delta` object of a chunk.
std::string delta_json(const Delta& delta) {
    const std::string chunk = chunk_of(delta);
    const auto parsed = runtime::parse_json(std::string_view(chunk).substr(6));
    EXPECT_TRUE(parsed) << chunk;
    return parsed ? json::serialize(parsed->at("choices").at(0).at("delta")) : "";
}

Delta text(std::string_view words, common::v1::Channel channel = common::v1::CONTENT) {
    Delta delta;
    delta.set_channel(channel);
    delta.set_text(std::string(words));
    return delta;
}

TEST(ChunkWriter, WritesTheRoleFirst) {
    std::string out;

    ChunkWriter(kChunkIdentity, false).append_role(out);

    EXPECT_EQ(out, chunk_with(R"({"index":0,"delta":{"role":"assistant","content":""},)"
                              R"("logprobs":null,"finish_reason":null}]})"));
}

TEST(ChunkWriter, WritesAPieceOfText) {
    EXPECT_EQ(chunk_of(text("Hel")), chunk_with(R"({"index":0,"delta":{"content":"Hel"},)"
                                                R"("logprobs":null,"finish_reason":null}]})"));
}

TEST(ChunkWriter, PutsUsageNullBesideEveryChunkForClientsThatAskedForIt) {
    std::string role;
    std::string finish;
    const ChunkWriter writer(kChunkIdentity, true);
    writer.append_role(role);
    writer.append_finish(finish, "stop");

    for (const std::string& chunk : {role, chunk_of(text("x"), true), finish}) {
        EXPECT_TRUE(chunk.ends_with("}],\"usage\":null}\n\n")) << chunk;
    }
}

TEST(ChunkWriter, WritesTheReasonInItsOwnChunk) {
    std::string out;

    ChunkWriter(kChunkIdentity, false).append_finish(out, "tool_calls");

    EXPECT_EQ(out, chunk_with(R"({"index":0,"delta":{},"logprobs":null,)"
                              R"("finish_reason":"tool_calls"}]})"));
}

TEST(ChunkWriter, WritesUsageWithoutChoices) {
    common::v1::Usage usage;
    usage.set_input_tokens(3);
    usage.set_output_tokens(4);
    std::string out;

    ChunkWriter(kChunkIdentity, true).append_usage(out, usage);

    EXPECT_EQ(out, chunk_with(
                       R"(],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}})"));
}

TEST(ChunkWriter, AppendsToWhatIsThere) {
    std::string out = ": keepalive\n\n";

    ChunkWriter(kChunkIdentity, false).append_delta(out, text("x"));

    EXPECT_TRUE(out.starts_with(": keepalive\n\ndata: {"));
}

TEST(ChunkWriter, WritesEachChannelUnderItsName) {
    EXPECT_EQ(delta_json(text("a", common::v1::CONTENT)), R"({"content":"a"})");
    EXPECT_EQ(delta_json(text("a", common::v1::REASONING)), R"({"reasoning_content":"a"})");
    EXPECT_EQ(delta_json(text("a", common::v1::REFUSAL)), R"({"refusal":"a"})");
}

TEST(ChunkWriter, EscapesWhatWouldBreakTheLineOrTheJson) {
    using namespace std::string_literals;
    const std::string words = "\"\\\n\r\t\0\x1f größe 🐝 \xE2\x80\xA8 data: x\n\n"s;

    const std::string chunk = chunk_of(text(words));

    EXPECT_EQ(chunk.find('\n'), chunk.size() - 2);
    EXPECT_EQ(chunk.find('\r'), std::string::npos);
    const auto parsed = runtime::parse_json(std::string_view(chunk).substr(6));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->at("choices").at(0).at("delta").at("content").as_string(), words);
}

TEST(ChunkWriter, EscapesTheModelsName) {
    std::string out;

    ChunkWriter({"i", "a\"b", 1}, false).append_role(out);

    EXPECT_NE(out.find(R"("model":"a\"b")"), std::string::npos);
}

TEST(ChunkWriter, PutsLogprobsBesideThePiece) {
    Delta delta = text("x");
    delta.set_logprobs_json(R"({"content":[{"token":"x"}]})");

    EXPECT_NE(
        chunk_of(delta).find(R"("delta":{"content":"x"},"logprobs":{"content":[{"token":"x"}]})"),
        std::string::npos);
}

TEST(ChunkWriter, WritesTheFirstPieceOfAToolCallWithItsNameAndTheNextWithout) {
    Delta first;
    auto& call = *first.mutable_tool_call();
    call.set_index(1);
    call.set_id("c\"1");
    call.set_type("function");
    call.set_name("f");
    Delta next;
    next.mutable_tool_call()->set_index(1);
    next.mutable_tool_call()->set_arguments("{\"a\":1}");

    EXPECT_EQ(delta_json(first), R"({"tool_calls":[{"index":1,"id":"c\"1","type":"function",)"
                                 R"("function":{"name":"f","arguments":""}}]})");
    EXPECT_EQ(delta_json(next),
              R"({"tool_calls":[{"index":1,"function":{"arguments":"{\"a\":1}"}}]})");
}

TEST(UsageJson, ShowsTheDetailsThatTheProviderGaveAndNoOthers) {
    struct Case {
        std::optional<std::int64_t> cached;
        std::optional<std::int64_t> reasoning;
        std::string_view details;
    };
    for (const Case& each : std::vector<Case>{
             {std::nullopt, std::nullopt, ""},
             {0, std::nullopt, R"(,"prompt_tokens_details":{"cached_tokens":0})"},
             {std::nullopt, 5, R"(,"completion_tokens_details":{"reasoning_tokens":5})"},
             {7, 0,
              R"(,"prompt_tokens_details":{"cached_tokens":7})"
              R"(,"completion_tokens_details":{"reasoning_tokens":0})"},
         }) {
        common::v1::Usage usage;
        usage.set_input_tokens(1'099'511'627'776);
        usage.set_output_tokens(1);
        if (each.cached) usage.set_cached_tokens(*each.cached);
        if (each.reasoning) usage.set_reasoning_tokens(*each.reasoning);
        std::string out;

        append_usage_json(out, usage);

        EXPECT_EQ(out, R"({"prompt_tokens":1099511627776,"completion_tokens":1,)"
                       R"("total_tokens":1099511627777)" +
                           std::string(each.details) + "}");
    }
}

}  // namespace
}  // namespace quire::gateway
