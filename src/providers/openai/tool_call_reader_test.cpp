#include "providers/openai/tool_call_reader.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace quire::providers {
namespace {

using Words = std::vector<std::string>;

std::vector<common::v1::Delta> read(const std::vector<std::string>& lists) {
    ToolCallReader reader;
    std::vector<common::v1::Delta> deltas;
    for (const std::string& list : lists) {
        const auto parsed = runtime::parse_json(fmt::format("[{}]", list));
        EXPECT_TRUE(parsed) << list;
        if (parsed) reader.read(*parsed, deltas);
    }
    return deltas;
}

/// `index id name arguments` of each piece of these lists.
Words calls_of(const std::vector<std::string>& lists) {
    Words calls;
    for (const common::v1::Delta& delta : read(lists)) {
        const auto& call = delta.tool_call();
        calls.push_back(
            fmt::format("{} {} {} {}", call.index(), call.id(), call.name(), call.arguments()));
    }
    return calls;
}

TEST(ToolCallReader, ParallelCallsStayApartWhateverTheirIndex) {
    constexpr std::string_view kFirst = R"("id":"c1","function":{"name":"f","arguments":"1"}})";
    constexpr std::string_view kSecond = R"("id":"c2","function":{"name":"g","arguments":"2"}})";
    for (const std::string_view index :
         {R"({"index":0,)", R"({"index":-7,)", R"({"index":4294967296,)", "{"}) {
        const auto first = fmt::format("{}{}", index, kFirst);
        const auto second = fmt::format("{}{}", index, kSecond);

        EXPECT_EQ(calls_of({first, second}), (Words{"0 c1 f 1", "1 c2 g 2"})) << index;
        EXPECT_EQ(calls_of({first + "," + second}), (Words{"0 c1 f 1", "1 c2 g 2"})) << index;
    }
}

TEST(ToolCallReader, WhatFollowsGoesToTheNewestCallOfItsIndex) {
    EXPECT_EQ(calls_of({R"({"index":0,"id":"c1","function":{"name":"f","arguments":""}})",
                        R"({"index":0,"id":"c2","function":{"name":"g","arguments":""}})",
                        R"({"index":0,"function":{"arguments":"2"}})"}),
              (Words{"0 c1 f ", "1 c2 g ", "1   2"}));
}

/// vLLM makes an id for every piece, others repeat the name.
TEST(ToolCallReader, NeitherAnIdNorANameAloneBeginsACallAndNoneIsToldTwice) {
    EXPECT_EQ(calls_of({R"({"index":0,"id":"c1","function":{"name":"f","arguments":""}})",
                        R"({"index":0,"id":"c9","function":{"arguments":"1"}})",
                        R"({"index":0,"id":"c1","function":{"name":"f","arguments":"2"}})"}),
              (Words{"0 c1 f ", "0   1", "0   2"}));
}

/// TensorRT-LLM made an id for each piece and repeated the name; Ollama's calls come whole.
TEST(ToolCallReader, ANameAndAnIdOfEachPieceMakeNoCallOfEach) {
    EXPECT_EQ(calls_of({R"({"id":"a","function":{"name":"f","arguments":"{\"x\""}})",
                        R"({"id":"b","function":{"name":"f","arguments":":1}"}})"}),
              (Words{R"(0 a f {"x")", "0   :1}"}));
    EXPECT_EQ(calls_of({R"({"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}})",
                        R"({"id":"b","function":{"name":"f","arguments":"{}"}})"}),
              (Words{R"(0 a f {"x":1})", "1 b f {}"}));
}

TEST(ToolCallReader, TwoNamesOfOneListAreTwoCalls) {
    const auto deltas = read({R"({"index":0,"function":{"name":"f","arguments":"{}"}},)"
                              R"({"index":0,"id":"","function":{"name":"f","arguments":"{}"}})"});

    ASSERT_EQ(deltas.size(), 2U);
    EXPECT_EQ(deltas[0].tool_call().index(), 0);
    EXPECT_EQ(deltas[1].tool_call().index(), 1);
}

TEST(ToolCallReader, EveryCallBeginsWithAnIdOfItsOwn) {
    const auto deltas = read({R"({"index":0,"function":{"name":"f","arguments":""}})",
                              R"({"index":0,"function":{"arguments":"{}"}})",
                              R"({"index":1,"id":"","function":{"name":"f","arguments":"{}"}})"});

    ASSERT_EQ(deltas.size(), 3U);
    EXPECT_TRUE(deltas[0].tool_call().id().starts_with("call_"));
    EXPECT_EQ(deltas[1].tool_call().id(), "");
    EXPECT_TRUE(deltas[2].tool_call().id().starts_with("call_"));
    EXPECT_NE(deltas[0].tool_call().id(), deltas[2].tool_call().id());
}

TEST(ToolCallReader, TheTypeComesOnceAndWithTheNameAtTheLatest) {
    const auto deltas = read({R"({"index":0,"id":"c1","type":"function"})",
                              R"({"index":0,"type":"function","function":{"name":"f"}})",
                              R"({"index":1,"id":"c2","function":{"name":"g"}})"});

    ASSERT_EQ(deltas.size(), 3U);
    EXPECT_EQ(deltas[0].tool_call().type(), "function");
    EXPECT_EQ(deltas[1].tool_call().type(), "");
    EXPECT_EQ(deltas[1].tool_call().name(), "f");
    EXPECT_EQ(deltas[2].tool_call().type(), "function");
}

TEST(ToolCallReader, ArgumentsMayBeJsonInsteadOfItsText) {
    EXPECT_EQ(calls_of({R"({"id":"c1","function":{"name":"f","arguments":{"city":"Rome"}}},)"
                        R"({"id":"c2","function":{"name":"g","arguments":null}})"}),
              (Words{R"(0 c1 f {"city":"Rome"})", "1 c2 g "}));
}

TEST(ToolCallReader, PassesOverCustomToolsAndWhatSaysNothing) {
    EXPECT_EQ(calls_of({R"({"index":0,"id":"c1","type":"custom","custom":{"name":"x"}})",
                        R"({"index":0,"custom":{"input":"y"}})", R"({"index":0})", "3"}),
              Words());
}

}  // namespace
}  // namespace quire::providers
