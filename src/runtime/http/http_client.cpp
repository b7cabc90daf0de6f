#include "runtime/http/http_client.hpp"

#include "runtime/deadline_timer.hpp"
#include "runtime/http/client_connection.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <map>
#include <optional>

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

/// The idle connections of one loop. What stands between us and the peer forgets an idle connection
/// without a word, so none is used after `idle_time`; those that the peer ended go with the next
/// sweep.
class ConnectionPool {
public:
    ConnectionPool(asio::io_context& loop, const ClientLimits& limits)
        : loop_(loop), limits_(limits) {}

    std::unique_ptr<ClientConnection> take(const std::string& key) {
        auto& idle = idle_[key];
        while (!idle.empty()) {
            Idle newest = std::move(idle.back());
            idle.pop_back();
            if (is_good(newest)) return std::move(newest.connection);
        }
        return nullptr;
    }

    void give_back(const std::string& key, std::unique_ptr<ClientConnection> connection) {
        auto& idle = idle_[key];
        if (idle.size() >= limits_.idle_max) return;
        idle.push_back({std::move(connection), clock_.steady()});
        // Not before: a pool is made on another thread than its loop's.
        if (!sweep_) sweep_.emplace(loop_, [this] { sweep(); });
        if (sweep_->when() == SteadyTime::max()) sweep_->expire_after(limits_.idle_time / 2);
    }

    void clear() { idle_.clear(); }
    asio::io_context& loop() { return loop_; }
    const ClientLimits& limits() const { return limits_; }

private:
    struct Idle {
        std::unique_ptr<ClientConnection> connection;
        SteadyTime since;
    };

    bool is_good(const Idle& idle) const {
        return clock_.steady() - idle.since < limits_.idle_time && idle.connection->is_usable();
    }

    void sweep() {
        for (auto& [key, idle] : idle_) {
            std::erase_if(idle, [this](const Idle& one) { return !is_good(one); });
        }
        std::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
        if (!idle_.empty()) sweep_->expire_after(limits_.idle_time / 2);
    }

    asio::io_context& loop_;
    const ClientLimits limits_;
    const SystemClock clock_;
    std::map<std::string, std::vector<Idle>> idle_;
    std::optional<runtime::Deadline> sweep_;
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
    Impl(runtime::EventLoops& loops, const ClientLimits& limits)
        : pools_(loops, [&](asio::io_context& loop) {
              return std::make_unique<std::shared_ptr<ConnectionPool>>(
                  std::make_shared<ConnectionPool>(loop, limits));
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

Client::Client(runtime::EventLoops& loops, const ClientLimits& limits)
    : impl_(std::make_unique<Impl>(loops, limits)) {}

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
        const bool is_stale = is_reused && connection->is_stale(pool->limits().stale_time);
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
