// The client against an upstream that does exactly what a script says.
#include "runtime/http/http_client.hpp"

#include "base/clock.hpp"
#include "runtime/http/client_connection.hpp"
#include "runtime/task_group.hpp"
#include "tests/support/readable.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace quire::http {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;
using Local = asio::local::stream_protocol;

constexpr std::string_view kHello = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// The upstream's end of one connection, for a script.
class Peer {
public:
    explicit Peer(tcp::socket socket) : socket_(std::move(socket)) {}

    /// The head of the next request; its body must be empty.
    std::string read_request() {
        boost::system::error_code ec;
        const std::size_t size =
            asio::read_until(socket_, asio::dynamic_buffer(in_), "\r\n\r\n", ec);
        std::string head = in_.substr(0, size);
        in_.erase(0, size);
        return head;
    }
    void send(std::string_view bytes) {
        boost::system::error_code ec;  // the client may have gone, which some tests are about
        asio::write(socket_, asio::buffer(bytes), ec);
    }
    /// Whether the client closes within the tests' patience.
    bool sees_the_end() {
        char byte = 0;
        boost::system::error_code ec;
        if (!test::is_readable_soon(socket_.native_handle())) return false;
        return socket_.read_some(asio::buffer(&byte, 1), ec) == 0;
    }
    void close() { socket_.close(); }
    /// Closes so that the client gets a reset.
    void reset() {
        socket_.set_option(asio::socket_base::linger(true, 0));
        socket_.close();
    }

private:
    tcp::socket socket_;
    std::string in_;
};

using Script = std::function<void(Peer&)>;

/// Plays one script per connection, one connection after the other.
class ScriptedUpstream {
public:
    explicit ScriptedUpstream(std::vector<Script> scripts)
        : thread_([this, scripts = std::move(scripts)] {
              for (const Script& script : scripts) play(script);
          }) {}
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    int connections() const { return connections_; }

private:
    void play(const Script& script) {
        if (!test::is_readable_soon(acceptor_.native_handle())) {
            ADD_FAILURE() << "the client never connected";
            return;
        }
        Peer peer(acceptor_.accept());
        ++connections_;
        script(peer);
    }

    asio::io_context context_;
    tcp::acceptor acceptor_{context_, {asio::ip::address_v4::loopback(), 0}};
    std::atomic<int> connections_{0};
    std::jthread thread_;
};

struct Answer {
    int status = 0;
    std::string body;
};

awaitable<Result<Answer>> fetch(Client& client, const Target& target, const ClientRequest& request,
                                std::size_t bytes_max) {
    QUIRE_CO_TRY(const auto response, client.send(target, request));
    Answer answer;
    answer.status = response->status();
    QUIRE_CO_TRY(answer.body, read_all(*response, bytes_max));
    co_return answer;
}

awaitable<void> fetch_to(Client& client, const Target& target, const ClientRequest& request,
                         std::atomic<bool>& is_cancelled) {
    const auto answer = co_await fetch(client, target, request, 1'000'000);
    is_cancelled = !answer && answer.error().code() == ErrorCode::kCancelled;
}

awaitable<Result<void>> leave_early(Client& client, const Target& target,
                                    const ClientRequest& request) {
    QUIRE_CO_TRY(const auto response, client.send(target, request));
    co_return Result<void>();
}

/// What a connection's loop owns ends there.
awaitable<Result<void>> destroyed(std::unique_ptr<ClientConnection> connection) {
    connection.reset();
    co_return Result<void>();
}

Script answer_with(std::string answer) {
    return [answer = std::move(answer)](Peer& peer) {
        peer.read_request();
        peer.send(answer);
    };
}

Script answer_and_wait(std::string answer) {
    return [answer = std::move(answer)](Peer& peer) {
        peer.read_request();
        peer.send(answer);
        EXPECT_TRUE(peer.sees_the_end());
    };
}

/// Answers once; the next request comes too late to be answered.
void go_stale(Peer& peer) {
    peer.read_request();
    peer.send(kHello);
    peer.read_request();
}

/// Answers once over a Unix socket, and takes no further byte. The connection stays open.
void answer_and_take_no_more(Local::acceptor& acceptor, Local::socket& socket) {
    ASSERT_TRUE(test::is_readable_soon(acceptor.native_handle()));
    acceptor.accept(socket);
    boost::system::error_code ec;
    std::string request;
    asio::read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", ec);
    socket.shutdown(asio::socket_base::shutdown_receive, ec);
    asio::write(socket, asio::buffer(kHello), ec);
    EXPECT_FALSE(ec) << ec.message();
}

class HttpClient : public testing::Test {
protected:
    Result<Answer> get(const ScriptedUpstream& upstream) { return get(upstream.port()); }
    Result<Answer> get(std::uint16_t port) {
        target_.url = {false, "127.0.0.1", port, ""};
        return test::run_on(loops_.loop(0), fetch(client_, target_, request_, bytes_max_));
    }
    void expect_error(const Result<Answer>& answer, ErrorCode code, std::string_view message) {
        ASSERT_FALSE(answer) << answer->body;
        EXPECT_EQ(answer.error().code(), code) << answer.error().message();
        EXPECT_NE(answer.error().message().find(message), std::string::npos)
            << answer.error().message();
    }

    runtime::EventLoops loops_{2};
    Client client_{loops_};
    Target target_;
    ClientRequest request_;
    std::size_t bytes_max_ = 1'000'000;
};

TEST_F(HttpClient, SendsWhatItWasGiven) {
    std::string seen;
    ScriptedUpstream upstream({[&seen](Peer& peer) {
        seen = peer.read_request();
        peer.send(kHello);
    }});
    request_.path = "/v1/models?a=b";
    request_.headers = {{"authorization", "Bearer x"}, {"x-a", "1"}};

    const auto answer = get(upstream);

    ASSERT_TRUE(answer);
    EXPECT_EQ(seen, fmt::format("POST /v1/models?a=b HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n"
                                "authorization: Bearer x\r\nx-a: 1\r\ncontent-length: 0\r\n\r\n",
                                upstream.port()));
}

TEST_F(HttpClient, ReadsEveryFramingOfABody) {
    struct Row {
        std::string_view answer;
        int status;
        std::string_view body;
    };
    for (const Row& row : {
             Row{kHello, 200, "hello"},
             Row{"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno", 404, "no"},
             Row{"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, ""},
             Row{"HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
             Row{"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                 "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nx-after: 1\r\n\r\n",
                 200, "hello"},
             Row{"HTTP/1.1 200 OK\r\n\r\nuntil it closes", 200, "until it closes"},
             Row{"HTTP/1.0 200 OK\r\n\r\nuntil it closes", 200, "until it closes"},
         }) {
        ScriptedUpstream upstream({answer_with(std::string(row.answer))});

        const auto answer = get(upstream);

        ASSERT_TRUE(answer) << row.answer << answer.error().message();
        EXPECT_EQ(answer->status, row.status) << row.answer;
        EXPECT_EQ(answer->body, row.body) << row.answer;
    }
}

TEST_F(HttpClient, ReadsAnAnswerThatComesByteByByte) {
    const std::string text =
        "HTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n"
        "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    ScriptedUpstream upstream({[&text](Peer& peer) {
        peer.read_request();
        for (const char& byte : text) peer.send({&byte, 1});
    }});

    const auto answer = get(upstream);

    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, "hello");
}

TEST_F(HttpClient, KeepsAConnectionAfterAWholeAnswer) {
    ScriptedUpstream upstream({[](Peer& peer) {
        for (int i = 0; i < 3; ++i) {
            peer.read_request();
            peer.send(kHello);
        }
    }});
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(get(upstream));

    EXPECT_EQ(upstream.connections(), 1);
}

TEST_F(HttpClient, DoesNotKeepAConnectionThatIsToBeClosed) {
    for (const std::string_view answer :
         {"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
          "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
          "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi and more than it said"}) {
        ScriptedUpstream upstream(
            {answer_and_wait(std::string(answer)), answer_with(std::string(kHello))});

        EXPECT_TRUE(get(upstream));
        EXPECT_TRUE(get(upstream));
        EXPECT_EQ(upstream.connections(), 2);
    }
}

TEST_F(HttpClient, DoesNotUseAConnectionThatWasClosedWhileIdle) {
    std::atomic<bool> is_closed{false};
    ScriptedUpstream upstream({[&is_closed](Peer& peer) {
                                   peer.read_request();
                                   peer.send(kHello);
                                   peer.close();
                                   is_closed = true;
                               },
                               answer_with(std::string(kHello))});

    ASSERT_TRUE(get(upstream));
    ASSERT_TRUE(test::wait_until([&] { return is_closed.load(); }));

    EXPECT_TRUE(get(upstream));
}

TEST_F(HttpClient, ReplacesAStaleConnectionOnce) {
    for (const bool is_reset : {false, true}) {
        const Script go_stale_by_reset = [](Peer& peer) {
            go_stale(peer);
            peer.reset();
        };
        ScriptedUpstream upstream(
            {is_reset ? go_stale_by_reset : Script(go_stale), answer_with(std::string(kHello))});
        ASSERT_TRUE(get(upstream));

        const auto answer = get(upstream);

        EXPECT_TRUE(answer);
        EXPECT_EQ(upstream.connections(), 2);
    }
}

TEST_F(HttpClient, DoesNotReplaceAStaleConnectionTwice) {
    const Script close_unanswered = [](Peer& peer) { peer.read_request(); };
    ScriptedUpstream upstream({go_stale, close_unanswered});
    ASSERT_TRUE(get(upstream));

    expect_error(get(upstream), ErrorCode::kUpstreamError, "cannot answer");
    EXPECT_EQ(upstream.connections(), 2);
}

/// It may have been worked on, so that only the caller can say whether it is worth another try.
TEST_F(HttpClient, DoesNotSendAgainWhatTheUpstreamHadForLong) {
    for (const bool is_reset : {false, true}) {
        Client client(loops_, {.stale_time = 50ms});
        ScriptedUpstream upstream({[is_reset](Peer& peer) {
                                       go_stale(peer);
                                       std::this_thread::sleep_for(100ms);
                                       if (is_reset) peer.reset();
                                   },
                                   answer_with(std::string(kHello))});
        target_.url = {false, "127.0.0.1", upstream.port(), ""};
        const auto get_once = [&] {
            return test::run_on(loops_.loop(0), fetch(client, target_, request_, bytes_max_));
        };
        ASSERT_TRUE(get_once());

        expect_error(get_once(), ErrorCode::kUpstreamError, "cannot answer");
        ASSERT_EQ(upstream.connections(), 1);
        EXPECT_TRUE(get_once());
    }
}

/// The request cannot be sent, and the wait for what the upstream may have said of it ends by our
/// limit: then nobody knows that the connection was closed.
TEST_F(HttpClient, DoesNotSendAgainAfterALimitOfItsOwn) {
    const test::TemporaryFolder folder;
    target_.url.host = "upstream";
    target_.unix_path = folder.path() / "upstream.sock";
    asio::io_context context;
    Local::acceptor acceptor(context, Local::endpoint(target_.unix_path));
    Local::socket socket(context);
    std::jthread upstream([&] { answer_and_take_no_more(acceptor, socket); });
    const auto get_once = [&] {
        return test::run_on(loops_.loop(0), fetch(client_, target_, request_, bytes_max_));
    };
    ASSERT_TRUE(get_once());
    upstream.join();
    request_.timeouts.first_byte = 20ms;

    expect_error(get_once(), ErrorCode::kUpstreamTimeout, "did not answer in time");
    boost::system::error_code ec;
    acceptor.non_blocking(true);
    acceptor.accept(ec);
    EXPECT_EQ(ec, asio::error::would_block) << "the request came again";
}

TEST_F(HttpClient, DoesNotSendAgainOnceAnAnswerHasBegun) {
    ScriptedUpstream upstream({[](Peer& peer) {
        go_stale(peer);
        peer.send("HTTP/1.1 2");
    }});
    ASSERT_TRUE(get(upstream));

    expect_error(get(upstream), ErrorCode::kUpstreamError, "cannot answer");
}

TEST_F(HttpClient, TakesAnAnswerThatComesBeforeTheRequestIsSent) {
    request_.body = std::string(32 << 20, 'x');
    ScriptedUpstream upstream({[](Peer& peer) {
        peer.read_request();
        peer.send("HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\n\r\nless");
        peer.reset();
    }});

    const auto answer = get(upstream);

    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->status, 413);
    EXPECT_EQ(answer->body, "less");
}

TEST_F(HttpClient, ClosesAConnectionThatIsIdleForLong) {
    Client client(loops_, {.idle_time = 60ms});
    ScriptedUpstream upstream({answer_and_wait(std::string(kHello))});
    target_.url = {false, "127.0.0.1", upstream.port(), ""};

    EXPECT_TRUE(test::run_on(loops_.loop(0), fetch(client, target_, request_, bytes_max_)));
}

TEST_F(HttpClient, OneAddressThatNeverAnswersLeavesTimeForTheOthers) {
    asio::io_context context;
    tcp::acceptor full(context, {asio::ip::address_v4::loopback(), 0});
    full.listen(0);
    std::vector<tcp::socket> waiting;
    for (int i = 0; i < 4; ++i) {
        waiting.emplace_back(context, tcp::v4());
        waiting.back().native_non_blocking(true);
        const tcp::endpoint where = full.local_endpoint();
        const int begun = ::connect(waiting.back().native_handle(), where.data(),
                                    static_cast<socklen_t>(where.size()));
        EXPECT_TRUE(begun == 0 || errno == EINPROGRESS);
    }
    tcp::acceptor alive(context, {asio::ip::address_v4::loopback(), 0});
    TlsContext tls;
    auto connection = std::make_unique<ClientConnection>(loops_.loop(0), tls);
    const auto connect = [&](std::vector<tcp::endpoint> endpoints) {
        const auto by = std::chrono::steady_clock::now() + 300ms;
        return test::run_on(loops_.loop(0), connection->connect_any(endpoints, by));
    };

    EXPECT_TRUE(connect({full.local_endpoint(), alive.local_endpoint()}));
    const auto late = connect({full.local_endpoint(), full.local_endpoint()});

    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code(), ErrorCode::kUpstreamTimeout);
    EXPECT_TRUE(test::run_on(loops_.loop(0), destroyed(std::move(connection))));
}

TEST_F(HttpClient, SaysThatNobodyListens) {
    asio::io_context context;
    tcp::acceptor bound(context);
    bound.open(tcp::v4());
    bound.bind({asio::ip::address_v4::loopback(), 0});  // and never listens

    expect_error(get(bound.local_endpoint().port()), ErrorCode::kUpstreamError,
                 "Connection refused");
}

TEST_F(HttpClient, EndsWhenTheHeadersTakeTooLong) {
    request_.timeouts.first_byte = 20ms;
    for (const std::string_view begin : {"", "HTTP/1.1 200 OK\r\nx-a: 1\r\n"}) {
        ScriptedUpstream upstream({answer_and_wait(std::string(begin))});

        expect_error(get(upstream), ErrorCode::kUpstreamTimeout, "did not answer in time");
    }
}

TEST_F(HttpClient, EndsWhenTheBodyStalls) {
    ScriptedUpstream upstream(
        {answer_and_wait("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")});
    request_.timeouts.between_bytes = 20ms;

    expect_error(get(upstream), ErrorCode::kUpstreamTimeout, "did not answer in time");
}

TEST_F(HttpClient, RefusesWhatIsCutOrGarbage) {
    for (const std::string_view answer : {
             "",
             "HTTP/1.1 200 OK\r\ncontent-le",
             "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
             "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
             "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
             "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
             "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nhello",
             "HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\nhello",
             "HTTP/1.1 20 OK\r\n\r\n",
             "HTTP/2.0 200 OK\r\n\r\n",
             "HTTP/1.1 103 Early Hints\r\n\r\n",
             "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
             "{\"error\":\"I am no HTTP server\"}\r\n\r\n",
         }) {
        ScriptedUpstream upstream({answer_with(std::string(answer))});

        expect_error(get(upstream), ErrorCode::kUpstreamError, "");
    }
}

TEST_F(HttpClient, RefusesALineOfFramingWithoutEnd) {
    for (const std::string_view begin : {"1;", "0\r\nx-a: 1\r\nx-b: "}) {
        ScriptedUpstream upstream({answer_and_wait(
            fmt::format("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}{}", begin,
                        std::string(1 << 20, 'a')))});

        expect_error(get(upstream), ErrorCode::kUpstreamError, "not a valid HTTP answer");
    }
}

TEST_F(HttpClient, RefusesHeadersWithoutMeasure) {
    std::string many;
    for (int i = 0; i < 101; ++i) many += fmt::format("x-{}: v\r\n", i);
    for (const std::string& fields : {many, "x: " + std::string(66'000, 'v') + "\r\n"}) {
        ScriptedUpstream upstream({answer_with("HTTP/1.1 200 OK\r\n" + fields + "\r\n")});

        expect_error(get(upstream), ErrorCode::kUpstreamError, "not a valid HTTP answer");
    }
}

TEST_F(HttpClient, ReadAllStopsAtItsLimitAndCloses) {
    ScriptedUpstream upstream(
        {answer_and_wait("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")});
    bytes_max_ = 4;

    expect_error(get(upstream), ErrorCode::kRequestTooLarge, "larger than 4 bytes");
}

TEST_F(HttpClient, AnAnswerThatIsNotReadToItsEndClosesTheConnection) {
    ScriptedUpstream upstream(
        {answer_and_wait("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")});
    target_.url = {false, "127.0.0.1", upstream.port(), ""};

    EXPECT_TRUE(test::run_on(loops_.loop(0), leave_early(client_, target_, request_)));
}

TEST_F(HttpClient, CancellingClosesTheConnection) {
    std::atomic<bool> has_request{false};
    for (const std::string_view begin :
         {"", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"}) {
        ScriptedUpstream upstream({[&](Peer& peer) {
            peer.read_request();
            peer.send(begin);
            has_request = true;
            EXPECT_TRUE(peer.sees_the_end());
        }});
        target_.url = {false, "127.0.0.1", upstream.port(), ""};
        runtime::TaskGroup tasks;
        std::atomic<bool> is_cancelled{false};
        tasks.spawn(loops_.loop(0).get_executor(), "client",
                    fetch_to(client_, target_, request_, is_cancelled));
        ASSERT_TRUE(test::wait_until([&] { return has_request.exchange(false); }));

        tasks.cancel();
        tasks.join_blocking();

        EXPECT_TRUE(is_cancelled);
    }
}

}  // namespace
}  // namespace quire::http
