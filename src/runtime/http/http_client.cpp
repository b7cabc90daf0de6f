#include "runtime/http/http_client.hpp"

#include "runtime/http/client_connection.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <map>

namespace quire::http {

using boost::system::error_code;

namespace {

std::string pool_key(const Target& target) {
    return target.unix_path.empty() ? target.url.text() : target.unix_path;
}

std::string request_text(const Target& target, const ClientRequest& request) {
    std::string text;
    text.reserve(512 + request.body.size());
    fmt::format_to(std::back_inserter(text), "{} {} HTTP/1.1\r\nhost: {}\r\n", request.method,
                   request.path, target.url.authority());
    for (const auto& [name, value] : request.headers) {
        text.append(name).append(": ").append(value).append("\r\n");
    }
    if (!request.body.empty() || request.method == "POST") {
        fmt::format_to(std::back_inserter(text), "content-length: {}\r\n", request.body.size());
    }
    text += "\r\n";
    text += request.body;
    return text;
}

}  // namespace

/// The idle connections of one loop.
class ConnectionPool {
public:
    ConnectionPool(asio::io_context& loop, std::size_t idle_max)
        : loop_(loop), idle_max_(idle_max) {}

    std::unique_ptr<ClientConnection> take(const std::string& key) {
        auto& idle = idle_[key];
        while (!idle.empty()) {
            auto connection = std::move(idle.back());
            idle.pop_back();
            if (connection->is_usable()) return connection;
        }
        return nullptr;
    }

    void give_back(const std::string& key, std::unique_ptr<ClientConnection> connection) {
        auto& idle = idle_[key];
        if (idle.size() < idle_max_) idle.push_back(std::move(connection));
    }

    void clear() { idle_.clear(); }
    asio::io_context& loop() { return loop_; }

private:
    asio::io_context& loop_;
    std::size_t idle_max_;
    std::map<std::string, std::vector<std::unique_ptr<ClientConnection>>> idle_;
};

namespace {

class PooledResponse final : public ClientResponse {
public:
    PooledResponse(std::shared_ptr<ConnectionPool> pool, std::string key,
                   std::unique_ptr<ClientConnection> connection)
        : pool_(std::move(pool)), key_(std::move(key)), connection_(std::move(connection)) {}

    int status() const override { return connection_->parser().status; }
    const Headers& headers() const override { return connection_->parser().headers; }

    void expire_at(SteadyTime when) override { connection_->expire_at(when); }
    awaitable<Result<std::string_view>> read_some() override {
        auto bytes = co_await connection_->read_body_some();
        co_return bytes;
    }

    ~PooledResponse() override {
        if (connection_->is_reusable()) pool_->give_back(key_, std::move(connection_));
    }

private:
    std::shared_ptr<ConnectionPool> pool_;
    std::string key_;
    std::unique_ptr<ClientConnection> connection_;
};

}  // namespace

class Client::Impl {
public:
    Impl(runtime::EventLoops& loops, std::size_t idle_max)
        : pools_(loops, [&](asio::io_context& loop) {
              return std::make_unique<std::shared_ptr<ConnectionPool>>(
                  std::make_shared<ConnectionPool>(loop, idle_max));
          }) {}

    /// Idle connections end on their loops, where their deadlines are.
    ~Impl() {
        for (auto& pool : pools_.all()) {
            asio::io_context& loop = (*pool)->loop();
            asio::post(loop, [ending = std::move(*pool)] {});
        }
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    std::shared_ptr<ConnectionPool> pool() { return pools_.here(); }
    TlsContext& tls() { return tls_; }

private:
    TlsContext tls_;
    runtime::PerLoop<std::shared_ptr<ConnectionPool>> pools_;
};

Client::Client(runtime::EventLoops& loops, std::size_t idle_max)
    : impl_(std::make_unique<Impl>(loops, idle_max)) {}

Client::~Client() = default;

awaitable<Result<std::unique_ptr<ClientResponse>>> Client::send(const Target& target,
                                                                const ClientRequest& request) {
    const std::string key = pool_key(target);
    const std::string text = request_text(target, request);
    const auto pool = impl_->pool();
    auto connection = pool->take(key);
    while (true) {
        const bool is_reused = connection != nullptr;
        if (!is_reused) {
            connection = std::make_unique<ClientConnection>(pool->loop(), impl_->tls());
            const auto connected = co_await connection->connect(target, request.timeouts.connect);
            if (!connected) co_return connected.error();
        }
        const auto answered = co_await connection->exchange(text, request.timeouts);
        if (answered) break;
        const bool is_stale = is_reused && connection->is_stale();
        connection.reset();
        if (!is_stale) co_return answered.error();
    }
    std::unique_ptr<ClientResponse> response =
        std::make_unique<PooledResponse>(pool, key, std::move(connection));
    co_return response;
}

void Client::close_idle() { impl_->pool()->clear(); }

awaitable<Result<std::string>> read_all(ClientResponse& response, std::size_t bytes_max) {
    std::string body;
    while (true) {
        QUIRE_CO_TRY(const std::string_view bytes, response.read_some());
        if (bytes.empty()) co_return body;
        body += bytes;
        if (body.size() > bytes_max) {
            co_return Error(ErrorCode::kRequestTooLarge,
                            fmt::format("the answer is larger than {} bytes", bytes_max));
        }
    }
}

}  // namespace quire::http
