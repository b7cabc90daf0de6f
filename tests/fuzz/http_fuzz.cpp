// Any bytes from a peer, to either end of HTTP/1.1: they are answered or refused, in whatever
// pieces they come the same way. The first byte picks the end and what comes before the rest, the
// second how that is cut.
#include "runtime/http/connection.hpp"
#include "runtime/http/message_parser.hpp"
#include "runtime/http/problem.hpp"
#include "runtime/log.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <fmt/ranges.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>

namespace {

namespace asio = boost::asio;
using namespace quire;
using asio::local::stream_protocol;

awaitable<void> echo(http::Exchange& exchange) {
    const auto body = co_await exchange.read_body(1'000);
    http::Response answer;
    if (!body) {
        answer = http::problem(body.error(), "req_1");
    } else {
        answer.content_type = "text/plain";
        const http::RequestHead& head = exchange.head();
        for (const std::string_view part :
             {std::string_view(head.method), std::string_view(head.path),
              std::string_view(head.query), *body}) {
            // In hexadecimal nothing looks like the next answer.
            fmt::format_to(std::back_inserter(answer.body), "{:02x} ", fmt::join(part, ""));
        }
    }
    const auto sent = co_await exchange.respond(std::move(answer));
    ignore(sent, "the peer is looked at");
}

/// One connection of a server, and a peer that writes whatever it likes.
class Served {
public:
    Served() : ours_(loop_), peer_(loop_) {
        asio::local::connect_pair(ours_, peer_);
        peer_.non_blocking(true);
        auto shared = std::make_shared<http::ServerShared>();
        shared->name = "fuzz";
        shared->handler = echo;
        shared->error_page = [](const Error& error, std::string_view /*target*/) {
            return http::problem(error, "");
        };
        auto connection = std::make_shared<http::Connection>(
            loop_, http::Connection::Socket(std::move(ours_)), shared);
        auto on_end = [this, connection](const std::exception_ptr& escaped) {
            if (escaped) std::abort();
            is_running_ = false;
        };
        asio::co_spawn(loop_, connection->run(),
                       asio::bind_cancellation_slot(connection->cancel_slot(), std::move(on_end)));
        turn();
    }

    void receive(std::string_view bytes) {
        boost::system::error_code ec;
        while (!bytes.empty() && !ec) {
            bytes.remove_prefix(peer_.write_some(asio::buffer(bytes), ec));
            turn();
        }
    }
    /// The peer sends no more; gives what it was answered. Aborts when the server does not end.
    std::string end() {
        boost::system::error_code ec;
        peer_.shutdown(stream_protocol::socket::shutdown_send, ec);
        turn();
        if (is_running_) std::abort();
        return std::move(answers_);
    }

private:
    /// Lets the server work, and takes what it says.
    void turn() {
        std::array<char, 4096> said{};
        boost::system::error_code ec;
        std::size_t count = 0;
        do {
            answers_.append(said.data(), count);
            loop_.restart();
            while (loop_.poll() > 0) loop_.restart();
            ec.clear();
            count = peer_.read_some(asio::buffer(said), ec);
        } while (count > 0);
    }

    asio::io_context loop_{1};
    stream_protocol::socket ours_;
    stream_protocol::socket peer_;
    std::string answers_;
    bool is_running_ = true;
};

template <class Receive>
void in_pieces(std::string_view bytes, std::size_t piece, Receive receive) {
    while (!bytes.empty()) {
        receive(bytes.substr(0, piece));
        bytes.remove_prefix(std::min(piece, bytes.size()));
    }
}

void remove_all(std::string& text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
        text.erase(at, text.find(to, at) + to.size() - at);
    }
}

/// Without what depends on the clock, on whether a body was there already when it was read, and
/// the last refusal: that a message can have no right end may be known sooner or later.
std::string answered(const std::string& bytes, std::size_t piece) {
    Served served;
    in_pieces(bytes, piece, [&](std::string_view some) { served.receive(some); });
    std::string answers = served.end();
    remove_all(answers, "HTTP/1.1 100 Continue", "\r\n\r\n");
    remove_all(answers, "date: ", "\r\n");
    const auto refusal = answers.rfind("HTTP/1.1 4");
    if (refusal != std::string::npos) answers.erase(refusal);
    return answers;
}

/// As a client reads an answer.
std::string parsed(const std::string& bytes, std::size_t piece) {
    http::ResponseParser parser;
    std::string waiting;
    boost::system::error_code ec;
    in_pieces(bytes, piece, [&](std::string_view some) {
        waiting += some;
        std::size_t used = 1;
        while (!waiting.empty() && used > 0 && !parser.is_done() && !ec) {
            used = parser.feed(waiting, ec);
            waiting.erase(0, used);
            if (ec == http::beast_http::error::need_more) {
                ec.clear();
                break;
            }
        }
    });
    // What is wrong with an answer that is not whole may be known sooner or later.
    if (ec || !parser.is_done()) return "not whole";
    return fmt::format("{} {}", parser.status, parser.body);
}

/// What a peer says first, so that the fuzzer need not find it.
std::string beginning(int kind, bool is_server) {
    const std::string chunked = "transfer-encoding: chunked\r\n\r\n";
    if (!is_server) {
        const std::string head = "HTTP/1.1 200 OK\r\n";
        if (kind == 1) return head;
        return kind == 2 ? head + chunked : "";
    }
    const std::string head = "POST /a?b=c HTTP/1.1\r\nhost: x\r\n";
    if (kind == 1) return head;
    if (kind == 2) return head + chunked;
    return kind == 3 ? head + "content-length: 20\r\n\r\n" : "";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const bool is_quiet = [] {
        runtime::configure_log(runtime::LogLevel::off, runtime::LogFormat::text);
        return true;
    }();
    if (size < 2 || !is_quiet) return 0;
    const bool is_server = (data[0] & 1) == 0;
    const std::size_t piece = data[1] == 0 ? 1 : data[1];
    const std::string bytes = beginning(data[0] / 2 % 4, is_server) +
                              std::string(reinterpret_cast<const char*>(data) + 2, size - 2);
    const auto heard = is_server ? answered : parsed;
    const std::string at_once = heard(bytes, bytes.size());
    const std::string in_parts = heard(bytes, piece);
    if (at_once == in_parts) return 0;
    fmt::print(stderr, "at once:\n{}\nin pieces of {}:\n{}\n", at_once, piece, in_parts);
    std::abort();
}
