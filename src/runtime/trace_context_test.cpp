#include "runtime/trace_context.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace quire::runtime {
namespace {

constexpr std::string_view kExample = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(Traceparent, ReadsBackWhatItWrites) {
    const auto trace = parse_traceparent(kExample);

    ASSERT_TRUE(trace);
    EXPECT_EQ(trace->trace_id_hex(), "4bf92f3577b34da6a3ce929d0e0e4736");
    EXPECT_TRUE(trace->is_sampled);
    EXPECT_EQ(trace->traceparent(), kExample);
}

TEST(Traceparent, TakesOnlyTheSampledFlag) {
    struct Row {
        std::string_view flags;
        bool is_sampled;
    };
    for (const Row& row : {Row{"00", false}, Row{"01", true}, Row{"02", false}, Row{"ff", true}}) {
        const auto trace =
            parse_traceparent(fmt::format("{}{}", kExample.substr(0, 53), row.flags));

        ASSERT_TRUE(trace) << row.flags;
        EXPECT_EQ(trace->is_sampled, row.is_sampled) << row.flags;
    }
}

TEST(Traceparent, ReadsTheFirstFieldsOfLaterVersions) {
    for (const std::string_view text : {
             "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
             "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes",
         }) {
        const auto trace = parse_traceparent(text);

        ASSERT_TRUE(trace) << text;
        EXPECT_EQ(trace->traceparent(), kExample);
    }
}

TEST(Traceparent, RefusesEverythingInvalid) {
    for (const std::string_view bad : {
             "",
             "00",
             "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
             "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
             "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
             "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
             "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
             "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
             "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
             "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
             "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
             "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
             "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
             "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
             "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
             "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
             " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
         }) {
        EXPECT_FALSE(parse_traceparent(bad)) << bad;
    }
}

TEST(TraceContext, AChildKeepsTheTraceAndHasItsOwnSpan) {
    SeededRng rng(1);
    TraceContext parent = *parse_traceparent(kExample);
    parent.tracestate = "vendor=1";

    const TraceContext child = parent.child(rng);

    EXPECT_EQ(child.trace_id, parent.trace_id);
    EXPECT_NE(child.span_id, parent.span_id);
    EXPECT_EQ(child.is_sampled, parent.is_sampled);
    EXPECT_EQ(child.tracestate, "vendor=1");
}

TEST(NewTrace, IsValidAndNew) {
    SeededRng rng(1);

    const TraceContext a = new_trace(rng);
    const TraceContext b = new_trace(rng);

    EXPECT_TRUE(parse_traceparent(a.traceparent()));
    EXPECT_NE(a.trace_id, b.trace_id);
    EXPECT_FALSE(a.is_sampled);
}

TEST(CleanTracestate, KeepsPrintableTextUpToItsLimit) {
    EXPECT_EQ(clean_tracestate("a=1,b=2"), "a=1,b=2");
    EXPECT_EQ(clean_tracestate(std::string(512, 'x')), std::string(512, 'x'));
    EXPECT_EQ(clean_tracestate(std::string(513, 'x')), "");
    EXPECT_EQ(clean_tracestate("a=1\r\nx: y"), "");
    EXPECT_EQ(clean_tracestate("a=\x7F"), "");
    EXPECT_EQ(clean_tracestate("a=\xC3\xA4"), "");
}

}  // namespace
}  // namespace quire::runtime
