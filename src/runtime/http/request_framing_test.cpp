// Requests that two parsers could read differently, and headers without measure: each is refused
// and its connection closed, however it is cut into reads.
#include "runtime/http/http_server.hpp"
#include "runtime/http/problem.hpp"
#include "tests/support/readable.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <array>
#include <atomic>

namespace quire::http {
namespace {

using asio::ip::tcp;

/// What the server reads at once; a field that crosses it is parsed in two steps.
constexpr std::size_t kReadBytes = 8 * 1024;

std::string read_to_end(tcp::socket& socket) {
    std::string in;
    while (test::is_readable_soon(socket.native_handle())) {
        std::array<char, 4096> bytes{};
        boost::system::error_code ec;
        const std::size_t count = socket.read_some(asio::buffer(bytes), ec);
        if (count == 0) return in;
        in.append(bytes.data(), count);
    }
    return in + "(and the server keeps the connection)";
}

awaitable<void> answer(Exchange& exchange) {
    const auto body = co_await exchange.read_body(1'000);
    Response response;
    response.body = body ? "taken" : "refused by the handler";
    const auto sent = co_await exchange.respond(std::move(response));
    ignore(sent, "the test looks at what arrives");
}

class RequestFraming : public testing::Test {
protected:
    RequestFraming()
        : server_(
              loops_, "test", {},
              [this](Exchange& exchange) {
                  ++handled_;
                  return answer(exchange);
              },
              [](const Error& error, std::string_view /*target*/) { return problem(error, ""); }) {
        const auto listening = server_.listen({{"127.0.0.1", 0}, ""});
        EXPECT_TRUE(listening);
    }
    ~RequestFraming() override { server_.stop(); }

    /// All that the server says to `pieces` until it closes.
    std::string talk(std::initializer_list<std::string_view> pieces) {
        asio::io_context context;
        tcp::socket socket(context);
        socket.connect({asio::ip::address_v4::loopback(), server_.port()});
        socket.set_option(tcp::no_delay(true));
        for (const std::string_view piece : pieces) {
            boost::system::error_code ec;  // refused before the end: the rest does not matter
            asio::write(socket, asio::buffer(piece), ec);
        }
        return read_to_end(socket);
    }

    std::atomic<int> handled_{0};
    runtime::EventLoops loops_{2};
    Server server_;
};

/// Everything that is refused ends with a request that must never be answered.
constexpr std::string_view kSmuggled = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";

constexpr std::string_view kRefused[] = {
    // two lengths of one body
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: "
    "chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: "
    "4\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4, 5\r\n\r\nabcd",
    // lengths that are none
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0x4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4 4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length:\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 18446744073709551616\r\n\r\n",
    // encodings that are not exactly chunked
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding:\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: \x0b"
    "chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.0\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    // folded lines
    "POST / HTTP/1.1\r\nhost: x\r\nx-a: 1\r\n 2\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\nx-a: 1\r\n\t2\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\n host: x\r\n\r\n",
    // line ends and bytes of another kind
    "GET / HTTP/1.1\nhost: x\n\n",
    "GET / HTTP/1.1\r\nhost: x\n\r\n",
    "GET / HTTP/1.1\r\nhost: x\r\nx-a: 1\nx-b: 2\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: x\r\nx-a: 1\rx-b: 2\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: x\r\nx-a: 1\r\r\n\r\n",
    "GET / HTTP/1.1\rhost: x\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: x\r\nx-a: \x01\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: x\r\nx a: 1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: x\r\n: 1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: x\r\nno-colon\r\n\r\n",
    // whose request it is
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: x\r\nHost: x\r\n\r\n",
    // start lines
    "GET /\r\nhost: x\r\n\r\n",
    "GET  / HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET / HTTP/1.1 \r\nhost: x\r\n\r\n",
    "GET /a b HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET / HTTP/0.9\r\nhost: x\r\n\r\n",
    "GET / HTTP/1.2\r\nhost: x\r\n\r\n",
    "GET / HTTP/2.0\r\nhost: x\r\n\r\n",
    "GET / http/1.1\r\nhost: x\r\n\r\n",
    "G=T / HTTP/1.1\r\nhost: x\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01\x02"
    "a client that speaks TLS",
};

void expect_refused(const std::string& answers, std::string_view request) {
    EXPECT_TRUE(answers.starts_with("HTTP/1.1 400 ")) << request << "\nbrought\n" << answers;
    EXPECT_NE(answers.find("\r\nconnection: close\r\n"), std::string::npos) << request << answers;
    EXPECT_NE(answers.find("application/problem+json"), std::string::npos) << request << answers;
    EXPECT_TRUE(answers.ends_with('}')) << request << answers;
}

TEST_F(RequestFraming, RefusesWhatCanBeReadInTwoWays) {
    for (const std::string_view request : kRefused) {
        expect_refused(talk({std::string(request).append(kSmuggled)}), request);
    }
    EXPECT_EQ(handled_, 0);
}

TEST_F(RequestFraming, RefusesTheSameInPieces) {
    for (const std::string_view request : kRefused) {
        const std::string whole = std::string(request).append(kSmuggled);
        for (std::size_t i = 1; i < request.size(); i += 5) {
            const std::string_view text(whole);
            expect_refused(talk({text.substr(0, i), text.substr(i)}), request);
        }
    }
    EXPECT_EQ(handled_, 0);
}

TEST_F(RequestFraming, RefusesAFoldedLineThatWasReadBeforeTheLastField) {
    const std::string request =
        "GET / HTTP/1.1\r\nhost: x\r\nx-a: 1\r\n 2\r\nx-b: " + std::string(kReadBytes, 'b') +
        "\r\n\r\n";

    expect_refused(talk({request}), request);
}

TEST_F(RequestFraming, TakesARequestWithTheSameLengthTwice) {
    const std::string answers =
        talk({"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 2\r\n"
              "connection: close\r\n\r\nhi"});

    EXPECT_TRUE(answers.ends_with("\r\n\r\ntaken")) << answers;
}

TEST_F(RequestFraming, TakesHeadersUpToTheirLimits) {
    std::string fields;
    for (int i = 0; i < 98; ++i) fields += fmt::format("x-{}: {}\r\n", i, std::string(600, 'v'));

    const std::string answers =
        talk({"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + fields + "\r\n"});

    EXPECT_TRUE(answers.ends_with("\r\n\r\ntaken")) << answers;
}

TEST_F(RequestFraming, RefusesHeadersAboveTheirLimits) {
    std::string many_fields;
    for (int i = 0; i < 100; ++i) many_fields += fmt::format("x-{}: v\r\n", i);
    std::string many_bytes;
    for (int i = 0; i < 13; ++i)
        many_bytes += fmt::format("x-{}: {}\r\n", i, std::string(5'050, 'v'));
    struct Row {
        std::string_view name;
        std::string request;
    };
    for (const Row& row : {
             Row{"101 fields", "GET / HTTP/1.1\r\nhost: x\r\n" + many_fields + "\r\n"},
             Row{"64 KiB in many fields", "GET / HTTP/1.1\r\nhost: x\r\n" + many_bytes + "\r\n"},
             Row{"64 KiB in one field",
                 "GET / HTTP/1.1\r\nhost: x\r\nx: " + std::string(65'536, 'v') + "\r\n\r\n"},
             Row{"64 KiB without an end",
                 "GET / HTTP/1.1\r\nhost: x\r\nx: " + std::string(66'000, 'v')},
             Row{"a target of 64 KiB",
                 "GET /" + std::string(65'536, 'a') + " HTTP/1.1\r\nhost: x\r\n\r\n"},
             Row{"a name of 64 KiB", "GET / HTTP/1.1\r\nhost: x\r\n" + std::string(66'000, 'n')},
         }) {
        const std::string answers = talk({row.request});

        EXPECT_TRUE(answers.starts_with("HTTP/1.1 413 ")) << row.name << answers.substr(0, 500);
        EXPECT_TRUE(answers.ends_with('}')) << row.name;
    }
    EXPECT_EQ(handled_, 0);
}

}  // namespace
}  // namespace quire::http
