#include "runtime/sse.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace quire::runtime {
namespace {

/// Every kind of line end, a byte order mark, comments, unknown fields, text in UTF-8, data in
/// several lines, an id, an event of another name, and one that the end cuts off.
constexpr std::string_view kRecorded =
    "\xEF\xBB\xBF"
    ": hello\n"
    "data: one\n\n"
    "data: a\r\ndata: b\r\n\r\n"
    "event: ping\rid: 7\rdata:{\"x\":\"\xE2\x82\xAC\"}\r\r"
    ":\n"
    "retry: 10\nnonsense\ndata\n\n"
    "event: lost\n\n"
    "data:  two blanks\r\n\n"
    "data: [DONE]\n\n"
    "data: cut";

std::vector<SseEvent> recorded_events() {
    return {
        {"", "one", ""}, {"", "a\nb", ""},        {"ping", "{\"x\":\"\xE2\x82\xAC\"}", "7"},
        {"", "", ""},    {"", " two blanks", ""}, {"", "[DONE]", ""},
    };
}

void drain(SseParser& parser, std::vector<SseEvent>& events) {
    for (auto event = parser.next(); event; event = parser.next()) {
        events.push_back(*std::move(event));
    }
}

std::vector<SseEvent> parse(std::initializer_list<std::string_view> pieces) {
    SseParser parser;
    std::vector<SseEvent> events;
    for (const std::string_view piece : pieces) {
        EXPECT_TRUE(parser.feed(piece));
        drain(parser, events);
    }
    return events;
}

TEST(SseParser, ReadsARecordedStream) { EXPECT_EQ(parse({kRecorded}), recorded_events()); }

TEST(SseParser, GivesTheSameEventsAtEverySplit) {
    for (std::size_t i = 0; i <= kRecorded.size(); ++i) {
        EXPECT_EQ(parse({kRecorded.substr(0, i), kRecorded.substr(i)}), recorded_events()) << i;
    }
}

TEST(SseParser, GivesTheSameEventsByteByByte) {
    SseParser parser;
    std::vector<SseEvent> events;

    for (std::size_t i = 0; i < kRecorded.size(); ++i) {
        ASSERT_TRUE(parser.feed(kRecorded.substr(i, 1)));
        drain(parser, events);
    }

    EXPECT_EQ(events, recorded_events());
}

TEST(SseParser, JoinsDataLinesWithLf) {
    EXPECT_EQ(parse({"data: a\ndata:\ndata: b\n\n"}), (std::vector<SseEvent>{{"", "a\n\nb", ""}}));
}

TEST(SseParser, TakesOneBlankAfterTheColon) {
    EXPECT_EQ(parse({"data:  x\ndata:y\n\n"}), (std::vector<SseEvent>{{"", " x\ny", ""}}));
}

TEST(SseParser, DropsAnEventWithoutData) {
    EXPECT_EQ(parse({"event: x\nid: 1\n\ndata: y\n\n"}), (std::vector<SseEvent>{{"", "y", ""}}));
}

TEST(SseParser, IgnoresAnIdWithNul) {
    EXPECT_EQ(parse({std::string_view("id: a\0b\ndata: x\n\n", 17)}),
              (std::vector<SseEvent>{{"", "x", ""}}));
}

TEST(SseParser, DropsAByteOrderMarkAtTheStartOnly) {
    EXPECT_EQ(parse({"data: x\n\n\xEF\xBB\xBF"
                     "data: y\n\ndata: z\n\n"}),
              (std::vector<SseEvent>{{"", "x", ""}, {"", "z", ""}}));
}

TEST(SseParser, RefusesAnEventAboveTheLimit) {
    struct Row {
        std::string_view name;
        std::string text;
    };
    for (const Row& row : {
             Row{"one line without an end", std::string(101, 'x')},
             Row{"one line", "data: " + std::string(95, 'x') + "\n\n"},
             Row{"many lines",
                 "data: " + std::string(60, 'x') + "\ndata: " + std::string(60, 'y') + "\n\n"},
         }) {
        SseParser parser(100);

        const auto fed = parser.feed(row.text);

        ASSERT_FALSE(fed) << row.name;
        EXPECT_EQ(fed.error().code(), ErrorCode::kUpstreamError) << row.name;
    }
}

TEST(SseParser, TakesAnyNumberOfEventsBelowTheLimit) {
    SseParser parser(100);
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(parser.feed("data: " + std::string(80, 'x') + "\n\n"));
        EXPECT_TRUE(parser.next());
    }
}

TEST(AppendSse, WhatItWritesReadsBackTheSame) {
    for (const SseEvent& event : {
             SseEvent{"", "", ""},
             SseEvent{"", "x", ""},
             SseEvent{"delta", "{\"a\":1}", "42"},
             SseEvent{"", "a\nb\n", ""},
             SseEvent{"", "\n\n", ""},
             SseEvent{"", " leading blank", ""},
             SseEvent{"", "data: looks like a field", ""},
         }) {
        std::string text;
        ASSERT_TRUE(append_sse(text, event));

        EXPECT_EQ(parse({text}), std::vector<SseEvent>{event}) << text;
    }
}

TEST(AppendSse, DataCannotForgeAField) {
    for (const std::string_view end : {"\r", "\n", "\r\n"}) {
        std::string text;
        const std::string data = fmt::format("x{0}event: forged{0}{0}data: y", end);
        ASSERT_TRUE(append_sse(text, {"", data, ""}));

        EXPECT_EQ(parse({text}), (std::vector<SseEvent>{{"", "x\nevent: forged\n\ndata: y", ""}}));
    }
}

TEST(AppendSse, RefusesLineEndsAndNulInEventAndId) {
    for (const std::string_view bad : {std::string_view("a\nb"), std::string_view("a\rb"),
                                       std::string_view("\0", 1), std::string_view("a\r\n")}) {
        std::string text;

        const auto as_event = append_sse(text, {std::string(bad), "x", ""});
        const auto as_id = append_sse(text, {"", "x", std::string(bad)});

        ASSERT_FALSE(as_event);
        ASSERT_FALSE(as_id);
        EXPECT_EQ(as_event.error().code(), ErrorCode::kInvalidValue);
        EXPECT_EQ(text, "");
    }
}

TEST(AppendSseComment, IsSkippedByReaders) {
    std::string text;
    append_sse_comment(text, "still here");
    append_sse_json(text, "{\"a\":1}");

    EXPECT_EQ(parse({text}), (std::vector<SseEvent>{{"", "{\"a\":1}", ""}}));
}

}  // namespace
}  // namespace quire::runtime
