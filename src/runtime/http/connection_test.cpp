// What a peer may send byte for byte, and what is refused. The life of a connection (leaving,
// deadlines, draining) is in http_server_test.cpp.
#include "runtime/http/connection.hpp"

#include "runtime/http/problem.hpp"
#include "tests/support/readable.hpp"
#include "tests/support/run_coroutine.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

namespace quire::http {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;

constexpr std::size_t kBodyMax = 100'000;

/// A client that sends exactly what a test says.
class RawPeer {
public:
    explicit RawPeer(std::uint16_t port) {
        socket_.connect({asio::ip::address_v4::loopback(), port});
        socket_.set_option(tcp::no_delay(true));
    }

    void send(std::string_view bytes) {
        boost::system::error_code ec;  // the server may have closed already, which is fine
        asio::write(socket_, asio::buffer(bytes), ec);
    }
    /// What comes up to and with `end`; all that came when the server closes before.
    std::string read_until(std::string_view end) {
        while (in_.find(end) == std::string::npos && read_some()) continue;
        const auto at = in_.find(end);
        const std::size_t size = at == std::string::npos ? in_.size() : at + end.size();
        std::string out = in_.substr(0, size);
        in_.erase(0, size);
        return out;
    }
    std::string read_to_end() {
        while (read_some()) continue;
        return std::exchange(in_, "");
    }

private:
    bool read_some() {
        if (!test::is_readable_soon(socket_.native_handle())) {
            ADD_FAILURE() << "the server neither sends nor closes";
            return false;
        }
        std::array<char, 4096> bytes{};
        boost::system::error_code ec;
        const std::size_t count = socket_.read_some(asio::buffer(bytes), ec);
        EXPECT_NE(ec, asio::error::connection_reset) << "an answer can be lost by a reset";
        in_.append(bytes.data(), count);
        return count > 0;
    }

    asio::io_context context_;
    tcp::socket socket_{context_};
    std::string in_;
};

/// Answers `METHOD path?query [header x-a] body`, or the error as a problem.
awaitable<void> echo(Exchange& exchange) {
    const RequestHead& head = exchange.head();
    const std::string_view before = head.header("x-a");
    const auto body = co_await exchange.read_body(kBodyMax);
    if (!body) {
        const auto refused = co_await exchange.respond(problem(body.error(), "req_1"));
        ignore(refused, "the test looks at what arrives");
        co_return;
    }
    Response response;
    response.content_type = "text/plain";
    response.body = fmt::format("{} {}?{} [{}{}] {}", head.method, head.path, head.query, before,
                                head.header("x-b"), *body);
    const auto sent = co_await exchange.respond(std::move(response));
    ignore(sent, "the test looks at what arrives");
}

awaitable<void> echo_before_a_deadline(Exchange& exchange) {
    exchange.set_deadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(20));
    co_await echo(exchange);
}

awaitable<void> stream(Exchange& exchange) {
    Response head;
    head.content_type = "text/plain";
    const auto begun = co_await exchange.begin_stream(std::move(head));
    ignore(begun, "the test looks at what arrives");
    const auto first = co_await exchange.write("one ");
    ignore(first, "the test looks at what arrives");
    const auto nothing = co_await exchange.write("");
    ignore(nothing, "the test looks at what arrives");
    const auto second = co_await exchange.write("and two");
    ignore(second, "the test looks at what arrives");
    const auto ended = co_await exchange.finish_stream();
    ignore(ended, "the test looks at what arrives");
}

awaitable<void> answer_unread(Exchange& exchange) {
    Response response;
    response.body = "I do not want to know";
    const auto sent = co_await exchange.respond(std::move(response));
    ignore(sent, "the test looks at what arrives");
}

/// As when a deadline passes while the last bytes still wait for a slow reader.
awaitable<void> go_on_after_the_end(Exchange& exchange) {
    co_await stream(exchange);
    const auto more = co_await exchange.write("and three");
    EXPECT_FALSE(more);
    const auto again = co_await exchange.finish_stream();
    EXPECT_FALSE(again);
}

class ConnectionTest : public testing::Test {
protected:
    ~ConnectionTest() override {
        if (server_) server_->stop();
    }

    RawPeer connect(awaitable<void> (*handler)(Exchange&) = echo, ServerLimits limits = {}) {
        const auto count_and_handle = [this, handler](Exchange& exchange) {
            ++handled_;
            return handler(exchange);
        };
        const auto page = [](const Error& error, std::string_view /*target*/) {
            return problem(error, "");
        };
        server_.emplace(loops_, "test", limits, count_and_handle, page);
        const auto listening = server_->listen({{"127.0.0.1", 0}, ""});
        EXPECT_TRUE(listening);
        return RawPeer(server_->port());
    }
    RawPeer connect_again() { return RawPeer(server_->port()); }

    runtime::EventLoops loops_{2};
    std::atomic<int> handled_{0};
    std::optional<Server> server_;
};

TEST_F(ConnectionTest, NothingFollowsAWholeAnswer) {
    RawPeer peer = connect(go_on_after_the_end);
    peer.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");

    const std::string received = peer.read_to_end();

    EXPECT_TRUE(received.ends_with("0\r\n\r\n")) << received;
    EXPECT_EQ(received.find("three"), std::string::npos);
    EXPECT_EQ(received.find("0\r\n\r\n"), received.rfind("0\r\n\r\n"));
}

TEST_F(ConnectionTest, AnswersOneRequestAfterTheOther) {
    RawPeer peer = connect();
    for (int i = 0; i < 3; ++i) {
        peer.send("POST /a?b=c HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nx-a: 1\r\n\r\nhi");

        const std::string answer = peer.read_until("] hi");

        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\ndate: ")) << answer;
        EXPECT_NE(answer.find("content-length: 18\r\n"), std::string::npos) << answer;
        EXPECT_EQ(answer.find("connection:"), std::string::npos) << answer;
        EXPECT_TRUE(answer.ends_with("POST /a?b=c [1] hi")) << answer;
    }
}

TEST_F(ConnectionTest, ATargetMayBeAWholeUrl) {
    struct Case {
        std::string_view target;
        std::string_view seen;
    };
    RawPeer peer = connect();
    for (const Case& each : std::vector<Case>{
             {"http://x/a?b=c", "/a?b=c"}, {"HTTPS://x:1/a/", "/a/?"}, {"http://x", "/?"}}) {
        peer.send(fmt::format("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", each.target));

        const std::string answer = peer.read_until("] ");

        EXPECT_TRUE(answer.ends_with(fmt::format("GET {} [] ", each.seen))) << answer;
    }
}

TEST_F(ConnectionTest, PassesOverEmptyLinesBetweenRequests) {
    RawPeer peer = connect();
    peer.send("\r\nPOST /1 HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi\r\n");
    EXPECT_TRUE(peer.read_until("] hi").starts_with("HTTP/1.1 200 OK"));

    peer.send("\r\nGET /2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");

    EXPECT_TRUE(peer.read_to_end().ends_with("GET /2? [] "));
}

TEST_F(ConnectionTest, AnswersPipelinedRequestsInTheirOrder) {
    RawPeer peer = connect();

    peer.send(
        "GET /1 HTTP/1.1\r\nhost: x\r\n\r\n"
        "POST /2 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        "GET /3 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    const std::string answers = peer.read_to_end();

    const auto first = answers.find("GET /1? [] ");
    const auto second = answers.find("POST /2? [] hi");
    const auto third = answers.find("GET /3? [] ");
    EXPECT_LT(first, second) << answers;
    EXPECT_LT(second, third) << answers;
    EXPECT_NE(third, std::string::npos) << answers;
}

TEST_F(ConnectionTest, ReadsARequestThatComesByteByByte) {
    RawPeer peer = connect();
    const std::string_view request =
        "POST /a HTTP/1.1\r\nhost: x\r\nx-a:  1 \r\ntransfer-encoding: chunked\r\n\r\n"
        "3;name=value\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";

    for (std::size_t i = 0; i < request.size(); ++i) peer.send(request.substr(i, 1));

    EXPECT_TRUE(peer.read_until("abcd").ends_with("POST /a? [1] abcd"));
}

TEST_F(ConnectionTest, SendsAStreamInChunks) {
    RawPeer peer = connect(stream);
    for (int i = 0; i < 2; ++i) {
        peer.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");

        const std::string answer = peer.read_until("\r\n0\r\n\r\n");

        EXPECT_NE(answer.find("\r\ntransfer-encoding: chunked\r\n\r\n"), std::string::npos);
        EXPECT_TRUE(answer.ends_with("\r\n\r\n4\r\none \r\n7\r\nand two\r\n0\r\n\r\n")) << answer;
    }
}

TEST_F(ConnectionTest, ClosesWhenThePeerAsksForIt) {
    RawPeer peer = connect();

    peer.send("GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    const std::string answer = peer.read_to_end();

    EXPECT_NE(answer.find("\r\nconnection: close\r\n"), std::string::npos) << answer;
}

TEST_F(ConnectionTest, AnswersHttp10AndCloses) {
    RawPeer peer = connect();

    peer.send("GET /a HTTP/1.0\r\n\r\n");
    const std::string answer = peer.read_to_end();

    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_NE(answer.find("\r\nconnection: close\r\n"), std::string::npos) << answer;
    EXPECT_TRUE(answer.ends_with("GET /a? [] ")) << answer;
}

TEST_F(ConnectionTest, EndsAStreamToHttp10ByClosing) {
    RawPeer peer = connect(stream);

    peer.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    const std::string answer = peer.read_to_end();

    EXPECT_EQ(answer.find("chunked"), std::string::npos) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\none and two")) << answer;
}

TEST_F(ConnectionTest, AnswersHeadWithoutABody) {
    RawPeer peer = connect();

    peer.send("HEAD /a HTTP/1.1\r\nhost: x\r\n\r\nGET /b HTTP/1.1\r\nhost: x\r\n\r\n");
    const std::string first = peer.read_until("\r\n\r\n");
    const std::string second = peer.read_until("GET /b? [] ");

    EXPECT_NE(first.find("content-length: 12\r\n"), std::string::npos) << first;
    EXPECT_TRUE(second.starts_with("HTTP/1.1 200 OK\r\n")) << second;
}

TEST_F(ConnectionTest, ClosesAfterABodyThatTheHandlerDidNotRead) {
    RawPeer peer = connect(answer_unread);

    peer.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc");
    const std::string answer = peer.read_to_end();

    EXPECT_NE(answer.find("\r\nconnection: close\r\n"), std::string::npos) << answer;
    EXPECT_TRUE(answer.ends_with("I do not want to know")) << answer;
}

TEST_F(ConnectionTest, AsksForABodyThatIsExpectedToWait) {
    RawPeer peer = connect();

    peer.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-Continue\r\n\r\n");
    EXPECT_EQ(peer.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send("hi");

    EXPECT_TRUE(peer.read_until("] hi").starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ConnectionTest, DoesNotAskForABodyThatIsTooLarge) {
    RawPeer peer = connect();

    peer.send(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100001\r\n"
        "expect: 100-continue\r\n\r\n");
    const std::string answer = peer.read_to_end();

    EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
}

TEST_F(ConnectionTest, RefusesALargeBodyAtOnceWhenItsLengthIsGiven) {
    RawPeer peer = connect();

    peer.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100001\r\n\r\n");
    const std::string answer = peer.read_to_end();

    EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
    EXPECT_NE(answer.find("larger than 100000 bytes"), std::string::npos) << answer;
}

TEST_F(ConnectionTest, RefusesAChunkedBodyWhenItBecomesTooLarge) {
    RawPeer peer = connect();
    const std::string chunk = "2710\r\n" + std::string(10'000, 'x') + "\r\n";

    peer.send("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    for (int i = 0; i < 10; ++i) peer.send(chunk);
    peer.send("1\r\nx\r\n");
    const std::string answer = peer.read_to_end();

    EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
}

TEST_F(ConnectionTest, TakesABodyUpToItsLimit) {
    RawPeer peer = connect();

    peer.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n" +
              std::string(kBodyMax - 1, 'x') + "!");

    EXPECT_TRUE(peer.read_until("!").starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ConnectionTest, FieldsAfterTheBodyAreNoHeaders) {
    RawPeer peer = connect();

    peer.send(
        "POST /a HTTP/1.1\r\nhost: x\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n"
        "2\r\nhi\r\n0\r\nx-b: " +
        std::string(2'000, 'b') + "\r\n\r\n");

    EXPECT_TRUE(peer.read_until("hi").ends_with("POST /a? [1] hi"));
}

TEST_F(ConnectionTest, RefusesABrokenChunk) {
    for (const std::string_view chunk :
         {"x\r\nab\r\n", "2\r\nabc\r\n0\r\n\r\n", "2\nab\r\n", "-2\r\nab\r\n", "2 \r\nab\r\n",
          "ffffffffffffffff0\r\nab\r\n"}) {
        RawPeer peer = connect();

        peer.send("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
        peer.send(chunk);
        const std::string answer = peer.read_to_end();

        EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << chunk << answer;
        server_->stop();
    }
}

TEST_F(ConnectionTest, ClosesAnIdleConnection) {
    ServerLimits limits;
    limits.idle_timeout = 20ms;
    RawPeer silent = connect(echo, limits);
    RawPeer kept = connect_again();

    kept.send("GET /a HTTP/1.1\r\nhost: x\r\n\r\n");

    EXPECT_TRUE(kept.read_to_end().ends_with("GET /a? [] "));
    EXPECT_EQ(silent.read_to_end(), "");
}

TEST_F(ConnectionTest, ClosesWhenTheHeadersDoNotEnd) {
    ServerLimits limits;
    limits.header_timeout = 20ms;
    RawPeer peer = connect(echo, limits);

    peer.send("GET /a HTTP/1.1\r\nhost: x\r\n");

    EXPECT_EQ(peer.read_to_end(), "");
    EXPECT_EQ(handled_, 0);
}

TEST_F(ConnectionTest, ADeadlineDuringTheBodyIsNoFaultOfItsFraming) {
    RawPeer peer = connect(echo_before_a_deadline);
    peer.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf");

    const std::string answer = peer.read_to_end();

    EXPECT_NE(answer.find("client_closed_request"), std::string::npos) << answer;
    EXPECT_EQ(answer.find("framing"), std::string::npos) << answer;
}

TEST_F(ConnectionTest, AllBodiesTogetherHaveALimit) {
    ServerLimits limits;
    limits.bodies_bytes_max = 1000;
    RawPeer slow = connect(echo, limits);
    const auto status_of_another = [this] {
        RawPeer another = connect_again();
        another.send(
            "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 300\r\n\r\n" +
            std::string(300, 'y'));
        return another.read_to_end().substr(9, 3);
    };
    EXPECT_EQ(status_of_another(), "200");

    slow.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n" + std::string(800, 'x'));
    ASSERT_TRUE(test::wait_until([&] { return handled_ == 2; }));

    EXPECT_TRUE(test::wait_until([&] { return status_of_another() == "503"; }));
    slow.send(std::string(100, 'x'));
    EXPECT_TRUE(slow.read_until("xxx").starts_with("HTTP/1.1 200"));
    // The slow one's connection stays open, and holds nothing.
    EXPECT_TRUE(test::wait_until([&] { return status_of_another() == "200"; }));
}

/// As an answer that runs for minutes.
awaitable<void> release_and_wait(Exchange& exchange) {
    const auto body = co_await exchange.read_body(kBodyMax);
    EXPECT_TRUE(body);
    exchange.release_body();
    const auto slept = co_await runtime::sleep_for(1h);
    EXPECT_FALSE(slept);
}

TEST_F(ConnectionTest, ABodyThatIsReleasedIsNotCounted) {
    ServerLimits limits;
    limits.bodies_bytes_max = 1000;
    RawPeer first = connect(release_and_wait, limits);
    RawPeer second = connect_again();
    const std::string request =
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n" + std::string(900, 'x');
    first.send(request);
    ASSERT_TRUE(test::wait_until([&] { return handled_ == 1; }));

    second.send(request);

    EXPECT_TRUE(test::wait_until([&] { return handled_ == 2; }));
}

TEST_F(ConnectionTest, ClosesWhenTheBodyDoesNotEnd) {
    ServerLimits limits;
    limits.body_timeout = 20ms;
    RawPeer peer = connect(echo, limits);

    peer.send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nabc");

    EXPECT_EQ(peer.read_to_end(), "");
    EXPECT_EQ(handled_, 1);
}

}  // namespace
}  // namespace quire::http
