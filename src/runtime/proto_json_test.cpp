// protobuf's own converter is the oracle: what one writes the other reads, both ways.
#include "runtime/proto_json.hpp"

#include "quire/common/v1/chat.pb.h"
#include "quire/common/v1/common.pb.h"
#include "quire/options/v1/options.pb.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace quire::runtime {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

/// Fills some fields, often with what is at a border.
class RandomFiller {
public:
    explicit RandomFiller(std::uint64_t seed) : random_(seed) {}

    void fill(Message& message) {
        const auto& descriptor = *message.GetDescriptor();
        for (int i = 0; i < descriptor.field_count(); ++i) {
            const FieldDescriptor& field = *descriptor.field(i);
            if (field.type() == FieldDescriptor::TYPE_BYTES) continue;  // no event has them
            const int count = field.is_repeated() ? pick(3) : pick(2);
            for (int j = 0; j < count; ++j) fill_field(message, field);
        }
    }

private:
    int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
    std::int64_t number() {
        constexpr std::array<std::int64_t, 6> kNumbers{0,
                                                       1,
                                                       -1,
                                                       1'000'000,
                                                       std::numeric_limits<std::int64_t>::max(),
                                                       std::numeric_limits<std::int64_t>::min()};
        return kNumbers[static_cast<std::size_t>(pick(6))];
    }
    std::string text() {
        constexpr std::array<const char*, 6> kTexts{"",
                                                    "plain",
                                                    "a \"quoted\" \\ line\nand\ttab\r",
                                                    "\x01\x1f",
                                                    "h\u00e9llo \U0001F600",
                                                    "</script>\u2028"};
        return kTexts[static_cast<std::size_t>(pick(6))];
    }
    void fill_field(Message& message, const FieldDescriptor& field) {
        const auto& reflection = *message.GetReflection();
        const bool is_list = field.is_repeated();
        switch (field.cpp_type()) {
            case FieldDescriptor::CPPTYPE_STRING:
                return is_list ? reflection.AddString(&message, &field, text())
                               : reflection.SetString(&message, &field, text());
            case FieldDescriptor::CPPTYPE_INT64:
                return is_list ? reflection.AddInt64(&message, &field, number())
                               : reflection.SetInt64(&message, &field, number());
            case FieldDescriptor::CPPTYPE_INT32:
                return reflection.SetInt32(&message, &field, static_cast<std::int32_t>(number()));
            case FieldDescriptor::CPPTYPE_BOOL:
                return reflection.SetBool(&message, &field, pick(2) == 1);
            case FieldDescriptor::CPPTYPE_ENUM: {
                const auto& values = *field.enum_type();
                return reflection.SetEnum(&message, &field,
                                          values.value(pick(values.value_count())));
            }
            case FieldDescriptor::CPPTYPE_MESSAGE:
                return fill(is_list ? *reflection.AddMessage(&message, &field)
                                    : *reflection.MutableMessage(&message, &field));
            default:
                FAIL() << "the test cannot fill " << field.full_name();
        }
    }

    std::mt19937_64 random_;
};

template <class T>
void expect_both_ways(std::uint64_t seed) {
    T sent;
    RandomFiller(seed).fill(sent);
    std::string ours;
    append_proto_json(ours, sent);
    std::string theirs;
    ASSERT_TRUE(google::protobuf::util::MessageToJsonString(sent, &theirs).ok());
    T read_by_them;
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(ours, &read_by_them).ok()) << ours;
    EXPECT_TRUE(MessageDifferencer::Equals(sent, read_by_them)) << seed << "\n" << ours;
    for (const std::string& text : {ours, theirs}) {
        T read_by_us;
        const auto read = read_proto_json(text, read_by_us);
        ASSERT_TRUE(read) << read.error().message() << "\n" << text;
        EXPECT_TRUE(MessageDifferencer::Equals(sent, read_by_us)) << seed << "\n" << text;
    }
}

TEST(ProtoJson, IsWhatProtobufsOwnConverterReadsAndWrites) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        expect_both_ways<common::v1::Started>(seed);
        expect_both_ways<common::v1::Finished>(seed);
        expect_both_ways<options::v1::Rule>(seed);
        expect_both_ways<common::v1::OutboxPage>(seed);
    }
}

TEST(ProtoJson, LeavesOutWhatIsUnset) {
    std::string text;
    append_proto_json(text, common::v1::OutboxEvent());
    EXPECT_EQ(text, "{}");
    common::v1::OutboxEvent event;
    event.set_sequence(7);
    event.set_id("evt_1");
    text.clear();
    append_proto_json(text, event);
    EXPECT_EQ(text, R"({"sequence":"7","id":"evt_1"})");
}

TEST(ProtoJson, PassesOverWhatItDoesNotKnow) {
    common::v1::OutboxEvent event;
    ASSERT_TRUE(read_proto_json(R"({"new":{"a":[1]},"sequence":7,"type":null})", event));
    EXPECT_EQ(event.sequence(), 7);
    EXPECT_EQ(event.type(), "");
}

TEST(ProtoJson, RefusesWhatIsNoSuchMessage) {
    const auto why = [](std::string_view text) {
        common::v1::OutboxPage page;
        const auto read = read_proto_json(text, page);
        return read ? "read" : fmt::format("{} {}", read.error().name(), read.error().message());
    };
    EXPECT_THAT(why("no JSON"), testing::StartsWith("invalid_value not valid JSON"));
    EXPECT_THAT(why("[]"), testing::StartsWith("invalid_value it is no JSON object"));
    for (const char* text :
         {R"({"events":{}})", R"({"events":[1]})", R"({"events":[{"sequence":"x"}]})",
          R"({"events":[{"sequence":1.5}]})", R"({"events":[{"sequence":"99999999999999999999"}]})",
          R"({"events":[{"id":1}]})"}) {
        EXPECT_THAT(why(text), testing::HasSubstr("is not what a")) << text;
    }
}

}  // namespace
}  // namespace quire::runtime
