#include "runtime/http/url.hpp"

#include <gtest/gtest.h>

namespace quire::http {
namespace {

TEST(ParseUrl, SplitsEveryUsableForm) {
    struct Row {
        std::string_view text;
        Url url;
        std::string_view authority;
    };
    for (const Row& row : {
             Row{"http://a", {false, "a", 80, ""}, "a"},
             Row{"https://a", {true, "a", 443, ""}, "a"},
             Row{"http://a/", {false, "a", 80, ""}, "a"},
             Row{"http://a:9000/v1", {false, "a", 9000, "/v1"}, "a:9000"},
             Row{"http://a:9000/v1//", {false, "a", 9000, "/v1"}, "a:9000"},
             Row{"https://a.example:80/x/y", {true, "a.example", 80, "/x/y"}, "a.example:80"},
             Row{"http://127.0.0.1:65535", {false, "127.0.0.1", 65535, ""}, "127.0.0.1:65535"},
             Row{"http://[::1]", {false, "::1", 80, ""}, "[::1]"},
             Row{"https://[::1]:8443/v1", {true, "::1", 8443, "/v1"}, "[::1]:8443"},
         }) {
        const auto url = parse_url(row.text);

        ASSERT_TRUE(url) << row.text;
        EXPECT_EQ(*url, row.url) << row.text;
        EXPECT_EQ(url->authority(), row.authority) << row.text;
    }
}

TEST(ParseUrl, ItsTextReadsBackTheSame) {
    for (const std::string_view text :
         {"http://a", "https://a/v1", "http://[::1]:9000/v1", "https://a:80"}) {
        const auto url = parse_url(text);
        ASSERT_TRUE(url) << text;

        EXPECT_EQ(url->text(), text);
    }
}

TEST(ParseUrl, RefusesWhatItCannotUse) {
    for (const std::string_view bad : {
             "",
             "a:9000",
             "ftp://a",
             "http:/a",
             "http://",
             "http:///v1",
             "http://:9000",
             "http://a:",
             "http://a:0",
             "http://a:65536",
             "http://a:-1",
             "http://a:80:80",
             "http://a:8 0",
             "http://::1",
             "http://[::1",
             "http://[::1]9000",
             "http://[]",
             "http://user@a",
             "http://user:secret@a",
             "http://a b",
             "http://a/v1?key=1",
             "http://a/v1#top",
             "http://a?x",
             "http://a/v1 ",
             "http://a/v1\r\nx-forged: 1",
             "http://a/v\t1",
         }) {
        const auto url = parse_url(bad);

        ASSERT_FALSE(url) << bad;
        EXPECT_EQ(url.error().code(), ErrorCode::kInvalidValue) << bad;
    }
}

TEST(ParseHostPort, SplitsHostAndPort) {
    struct Row {
        std::string_view text;
        std::string_view host;
        std::uint16_t port;
    };
    for (const Row& row : {
             Row{"127.0.0.1:8700", "127.0.0.1", 8700},
             Row{"localhost:0", "localhost", 0},
             Row{"[::1]:8700", "::1", 8700},
             Row{"0.0.0.0:65535", "0.0.0.0", 65535},
         }) {
        const auto parsed = parse_host_port(row.text);

        ASSERT_TRUE(parsed) << row.text;
        EXPECT_EQ(parsed->host, row.host);
        EXPECT_EQ(parsed->port, row.port);
    }
}

TEST(ParseHostPort, RefusesAnythingElse) {
    for (const std::string_view bad :
         {"", "8700", ":8700", "a", "a:", "a:x", "a:65536", "a:+1", "a:1 ", "::1:8700", "[::1]",
          "http://a:1", "gateway:8700", "127.0.0.256:1", "[::x]:1"}) {
        EXPECT_FALSE(parse_host_port(bad)) << bad;
    }
}

TEST(PercentDecode, DecodesOrRefuses) {
    struct Row {
        std::string_view text;
        std::optional<std::string> decoded;
    };
    for (const Row& row : {
             Row{"", ""},
             Row{"a+b", "a+b"},
             Row{"%41%62", "Ab"},
             Row{"%e2%82%AC", "\xE2\x82\xAC"},
             Row{"%25", "%"},
             Row{"%2541", "%41"},  // once, not twice
             Row{"%", std::nullopt},
             Row{"%4", std::nullopt},
             Row{"a%4", std::nullopt},
             Row{"%4g", std::nullopt},
             Row{"%-1", std::nullopt},
             Row{"%00", std::nullopt},
         }) {
        EXPECT_EQ(percent_decode(row.text), row.decoded) << row.text;
    }
}

TEST(PercentDecode, ReadsPlusAsSpaceWhenAsked) {
    EXPECT_EQ(percent_decode("a+b%2B", true), "a b+");
}

TEST(QueryValue, FindsTheFirstOfItsName) {
    struct Row {
        std::string_view query;
        std::optional<std::string> value;
    };
    for (const Row& row : {
             Row{"", std::nullopt},
             Row{"a=1", "1"},
             Row{"a=", ""},
             Row{"a", ""},
             Row{"ab=1", std::nullopt},
             Row{"b=1&a=2&a=3", "2"},
             Row{"b=a=1&a=b=2", "b=2"},
             Row{"&&a=1", "1"},
             Row{"a=x+y%26z", "x y&z"},
             Row{"A=1", std::nullopt},
         }) {
        const auto value = query_value(row.query, "a");
        ASSERT_TRUE(value) << row.query;
        EXPECT_EQ(*value, row.value) << row.query;
    }
    for (const std::string_view query : {"a=%", "a=50%off", "b=1&a=%zz", "a=%00"}) {
        const auto value = query_value(query, "a");
        ASSERT_FALSE(value) << query;
        EXPECT_EQ(value.error().code(), ErrorCode::kInvalidValue);
        EXPECT_EQ(value.error().detail("param"), "a");
    }
}

}  // namespace
}  // namespace quire::http
