#pragma once

#include "runtime/async.hpp"
#include "runtime/rpc/wire/header_list.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace quire::test {

/// A peer that writes HTTP/2 frames by hand, right and wrong ones, over a Unix socket: a client, or
/// a server for the one connection that it waits for.
class RawHttp2 {
public:
    explicit RawHttp2(const std::string& path) : RawHttp2() {
        socket_.connect(asio::local::stream_protocol::endpoint(path));
    }

    static RawHttp2 serving(const std::string& path, const std::function<void()>& on_listening) {
        RawHttp2 server;
        asio::local::stream_protocol::acceptor acceptor(
            *server.loop_, asio::local::stream_protocol::endpoint(path));
        on_listening();
        acceptor.accept(server.socket_);
        return server;
    }

    /// Errors of a peer that has closed already do not matter: `ends_within` tells.
    void send(std::string_view bytes) {
        boost::system::error_code ignored;
        asio::write(socket_, asio::buffer(bytes), ignored);
    }
    /// The client's preface and empty settings.
    void greet() { send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "")); }

    static std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                             std::string_view payload) {
        std::string out;
        for (const int shift : {16, 8, 0}) out += static_cast<char>(payload.size() >> shift);
        out += static_cast<char>(type);
        out += static_cast<char>(flags);
        for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(stream >> shift);
        return out.append(payload);
    }
    /// HPACK's literals without indexing; names and values below 127 bytes.
    static std::string block(const rpc::HeaderList& headers) {
        std::string out;
        for (const auto& [name, value] : headers) {
            out += '\0';
            out += static_cast<char>(name.size());
            out += name;
            out += static_cast<char>(value.size());
            out += value;
        }
        return out;
    }
    static std::string headers(std::uint32_t stream, const rpc::HeaderList& list,
                               bool ends_stream = false) {
        return frame(1, ends_stream ? 5 : 4, stream, block(list));
    }
    static rpc::HeaderList call(std::string path) {
        return {{":method", "POST"},   {":scheme", "http"}, {":path", std::move(path)},
                {":authority", "raw"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
    }

    /// Whether the peer closes the connection in time; what it sent before is in `received`.
    bool ends_within(std::chrono::milliseconds limit) {
        return wait(limit, [] { return false; });
    }
    /// Whether the peer sends `bytes` in time, or ends after it did.
    bool receives(std::string_view bytes, std::chrono::milliseconds limit) {
        wait(limit, [&] { return received.find(bytes) != std::string::npos; });
        return received.find(bytes) != std::string::npos;
    }

    std::string received;

private:
    RawHttp2() : loop_(std::make_unique<asio::io_context>()), socket_(*loop_) {}

    /// True at the connection's end; false when `is_enough` or the time has passed.
    template <class Enough>
    bool wait(std::chrono::milliseconds limit, Enough is_enough) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!is_enough()) {
            bool has_ended = false;
            bool is_read = false;
            socket_.async_read_some(asio::buffer(buffer_),
                                    [&](boost::system::error_code ec, std::size_t size) {
                                        is_read = true;
                                        has_ended = ec && ec != asio::error::operation_aborted;
                                        received.append(buffer_.data(), size);
                                    });
            loop_->restart();
            loop_->run_until(end);
            if (!is_read) {
                socket_.cancel();
                loop_->restart();
                loop_->run();
                return false;
            }
            if (has_ended) return true;
        }
        return false;
    }

    std::unique_ptr<asio::io_context> loop_;
    asio::local::stream_protocol::socket socket_;
    std::array<char, 16 * 1024> buffer_{};
};

}  // namespace quire::test
