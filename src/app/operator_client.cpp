#include "app/operator_client.hpp"

#include "runtime/http/http_client.hpp"
#include "runtime/task_group.hpp"

#include <fmt/format.h>

namespace quire::app {
namespace {

constexpr std::size_t kAnswerMax = 64 * 1024 * 1024;
constexpr std::chrono::minutes kPatience{15};

struct Exchange {
    http::Target target;
    http::ClientRequest request;
    const std::function<void(std::string_view)>& on_bytes;
};

awaitable<Result<OperatorAnswer>> run_exchange(runtime::EventLoops& loops,
                                               const Exchange& exchange) {
    http::Client client(loops, {.idle_max = 0});
    QUIRE_CO_TRY(auto response, client.send(exchange.target, exchange.request));
    OperatorAnswer answer;
    answer.status = response->status();
    while (true) {
        QUIRE_CO_TRY(const std::string_view bytes, response->read_some());
        if (bytes.empty()) co_return answer;
        if (exchange.on_bytes && answer.status < 300) {
            exchange.on_bytes(bytes);
        } else if (answer.body.size() + bytes.size() <= kAnswerMax) {
            answer.body += bytes;
        }
    }
}

}  // namespace

OperatorClient OperatorClient::at_socket(const std::filesystem::path& socket, std::string org) {
    OperatorClient client;
    client.socket_ = socket;
    client.org_ = std::move(org);
    return client;
}

OperatorClient OperatorClient::at_url(http::Url url, std::string key) {
    OperatorClient client;
    client.url_ = std::move(url);
    client.key_ = std::move(key);
    return client;
}

Result<OperatorAnswer> OperatorClient::send(
    const std::string& method, const std::string& path, const std::string& body,
    const std::function<void(std::string_view)>& on_bytes) const {
    Exchange exchange{{}, {}, on_bytes};
    exchange.request.method = method;
    exchange.request.path = path;
    exchange.request.body = body;
    exchange.request.headers = {{"content-type", "application/json"}};
    exchange.request.timeouts.first_byte = exchange.request.timeouts.between_bytes = kPatience;
    if (is_socket()) {
        exchange.target.unix_path = socket_;
        exchange.target.url.host = "quire";
        exchange.target.url.port = 80;
        if (!org_.empty()) exchange.request.headers.emplace_back("x-quire-org", org_);
    } else {
        exchange.target.url = *url_;
        exchange.request.path = exchange.target.url.path + path;
        exchange.request.headers.emplace_back("authorization", "Bearer " + key_);
    }
    runtime::EventLoops loops(1);
    auto answer = runtime::run_blocking<OperatorAnswer>(
        loops.loop(0).get_executor(), "operator call", run_exchange(loops, exchange));
    loops.stop();
    if (!answer && answer.error().code() == ErrorCode::kUpstreamError) {
        const std::string where = is_socket() ? socket_ : url_->text();
        const std::string_view what = is_socket() ? "is `quire up` running with this --data?"
                                                  : "is it the address of a `quire up`?";
        return Error(
            ErrorCode::kStorageUnavailable,
            fmt::format("no answer from {}; {} ({})", where, what, answer.error().message()));
    }
    return answer;
}

}  // namespace quire::app
