#include "runtime/json.hpp"

#include <gtest/gtest.h>

namespace quire::runtime {
namespace {

std::string nested(std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
}

std::string text_of(std::string_view document) {
    const auto value = parse_json(document);
    if (!value) return "error: " + value.error().message();
    const auto& string = value->as_string();
    return {string.data(), string.size()};
}

TEST(ParseJson, ReadsOneDocument) {
    const auto value = parse_json(" {\"a\":[1,-2.5,true,null,\"x\"]}\r\n\t ");

    ASSERT_TRUE(value);
    EXPECT_EQ(json::serialize(*value), R"({"a":[1,-2.5E0,true,null,"x"]})");
}

TEST(ParseJson, RefusesWhatIsNoJson) {
    for (const std::string_view bad : {
             std::string_view(""),
             std::string_view(" "),
             std::string_view("{"),
             std::string_view("{\"a\":1"),
             std::string_view("\"open"),
             std::string_view("{} {}"),
             std::string_view("{}x"),
             std::string_view("1\0", 2),
             std::string_view("\0", 1),
             std::string_view("\"a\0b\"", 5),
             std::string_view("\"a\nb\""),
             std::string_view("{'a':1}"),
             std::string_view("{a:1}"),
             std::string_view("[1,]"),
             std::string_view("{\"a\":1,}"),
             std::string_view("// x\n1"),
             std::string_view("01"),
             std::string_view("+1"),
             std::string_view("NaN"),
             std::string_view("Infinity"),
             std::string_view("tru"),
             std::string_view("\"\\x41\""),
             std::string_view("\"\\u12g4\""),
             std::string_view("\xEF\xBB\xBF{}"),
         }) {
        const auto value = parse_json(bad);

        ASSERT_FALSE(value) << bad;
        EXPECT_EQ(value.error().code(), ErrorCode::kInvalidJson) << bad;
    }
}

TEST(ParseJson, TakesSixtyFourLevelsAndNoMore) {
    EXPECT_TRUE(parse_json(nested(64)));

    const auto deeper = parse_json(nested(65));
    ASSERT_FALSE(deeper);
    EXPECT_NE(deeper.error().message().find("64 levels"), std::string::npos);
    EXPECT_FALSE(parse_json(std::string(100'000, '[')));
}

TEST(ParseJson, SaysWhereItStopped) {
    const auto value = parse_json("{\"a\":1} x");

    ASSERT_FALSE(value);
    EXPECT_NE(value.error().message().find("byte 8"), std::string::npos) << value.error().message();
}

TEST(ParseJson, RefusesInvalidUtf8) {
    for (const std::string_view bad : {"\"\xFF\"", "\"\xC0\xAF\"", "\"\xED\xA0\x80\"",
                                       "\"\xF4\x90\x80\x80\"", "\"\xE2\x82\"", "\"\x80\""}) {
        EXPECT_FALSE(parse_json(bad)) << bad;
    }
}

TEST(ParseJson, RefusesLoneSurrogates) {
    for (const std::string_view bad :
         {R"("\ud800")", R"("\ud800x")", R"("\ud800\u0041")", R"("\udc00")", R"("\udc00\ud800")"}) {
        EXPECT_FALSE(parse_json(bad)) << bad;
    }
}

TEST(ParseJson, DecodesEscapes) {
    EXPECT_EQ(text_of(R"("\ud83d\ude00")"), "\xF0\x9F\x98\x80");
    EXPECT_EQ(text_of(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
    EXPECT_EQ(text_of(R"("a\u0000b")"), std::string_view("a\0b", 3));
}

TEST(ParseJson, OfTwoEqualKeysTheLastCounts) {
    const auto value = parse_json(R"({"a":1,"b":2,"a":3})");

    ASSERT_TRUE(value);
    EXPECT_EQ(value->as_object().size(), 2u);
    EXPECT_EQ(int_member(value->as_object(), "a"), 3);
}

TEST(ParseJson, UsesTheStorageItIsGiven) {
    json::monotonic_resource arena;

    const auto value = parse_json(R"(["x"])", &arena);

    ASSERT_TRUE(value);
    EXPECT_EQ(value->storage().get(), &arena);
}

TEST(JsonString, EscapesWhatJsonDemands) {
    EXPECT_EQ(json_string("plain"), "\"plain\"");
    EXPECT_EQ(json_string("\"\\\n\r\t"), R"("\"\\\n\r\t")");
    EXPECT_EQ(json_string(std::string_view("\0\x01\x1F\x7F", 4)), "\"\\u0000\\u0001\\u001f\x7F\"");
    EXPECT_EQ(json_string("\xE2\x82\xAC"), "\"\xE2\x82\xAC\"");
}

TEST(JsonString, EveryByteReadsBackTheSame) {
    for (int byte = 0; byte < 0x80; ++byte) {
        const std::string text = {'a', static_cast<char>(byte), 'b'};

        EXPECT_EQ(text_of(json_string(text)), text) << byte;
    }
}

TEST(JsonString, ReplacesInvalidUtf8) {
    EXPECT_EQ(text_of(json_string("a\xFF"
                                  "b")),
              "a\xEF\xBF\xBD"
              "b");
    EXPECT_EQ(text_of(json_string("\xED\xA0\x80")), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    EXPECT_EQ(text_of(json_string("\xE2\x82")), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(IsValidUtf8, KnowsTheEdgesOfRfc3629) {
    for (const std::string_view good :
         {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
          "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
        EXPECT_TRUE(is_valid_utf8(good)) << good;
    }
    for (const std::string_view bad :
         {"\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF", "\xE0\xA0", "\xED\xA0\x80",
          "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
        EXPECT_FALSE(is_valid_utf8(bad)) << bad;
    }
}

TEST(Members, ReadAbsentNullAndOtherTypesAsNothing) {
    const auto value = parse_json(R"({"text":"x","int":7,"null":null,"big":18446744073709551615})");
    ASSERT_TRUE(value);
    const json::object& object = value->as_object();

    EXPECT_EQ(text_member(object, "text"), "x");
    EXPECT_EQ(text_member(object, "int"), "");
    EXPECT_EQ(text_member(object, "absent"), "");
    EXPECT_EQ(int_member(object, "int"), 7);
    EXPECT_EQ(int_member(object, "text"), std::nullopt);
    EXPECT_EQ(int_member(object, "big"), std::nullopt);
    EXPECT_EQ(find_member(object, "null"), nullptr);
    EXPECT_NE(find_member(object, "int"), nullptr);
}

}  // namespace
}  // namespace quire::runtime
