#include "app/discovery.hpp"

#include "providers/openai/openai_provider.hpp"
#include "runtime/task_group.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <array>
#include <sys/socket.h>
#include <unistd.h>

namespace quire::app {
namespace {

struct KnownUpstream {
    std::string_view name;
    std::string_view base_url;
    std::string_view key_variable;  ///< "": none needed
    std::uint16_t port;             ///< of the local server; 0: not local
    std::string_view limit_field;   ///< the one that it heeds; "": either
};

constexpr std::array kKnown{
    KnownUpstream{"openai", "https://api.openai.com/v1", "OPENAI_API_KEY", 0, ""},
    KnownUpstream{"ollama", "http://127.0.0.1:11434/v1", "", 11434, "max_tokens"},
    KnownUpstream{"vllm", "http://127.0.0.1:8000/v1", "", 8000, "max_tokens"},
    KnownUpstream{"llama", "http://127.0.0.1:8080/v1", "", 8080, "max_tokens"},
};
constexpr std::size_t kModelsMax = 100;

const KnownUpstream* find_known(std::string_view name) {
    for (const KnownUpstream& known : kKnown) {
        if (known.name == name) return &known;
    }
    return nullptr;
}

/// Whether something accepts connections on the port; says nothing to it.
bool is_listening(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool is_open = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    return is_open;
}

/// Idle connections belong to their loop.
awaitable<Result<std::vector<std::string>>> list_and_close(providers::OpenAiProvider& provider,
                                                           http::Client& client) {
    auto listed = co_await provider.list_models(kModelsMax);
    client.close_idle();
    co_return listed;
}

Result<std::vector<std::string>> list_models(const KnownUpstream& known, const Secret& key,
                                             runtime::EventLoops& loops) {
    QUIRE_TRY(http::Url url, http::parse_url(known.base_url));
    http::Client client(loops);
    providers::OpenAiProvider provider(client, std::move(url), key);
    auto listed = runtime::run_blocking<std::vector<std::string>>(
        loops.loop(0).get_executor(), "list models", list_and_close(provider, client));
    provider.stop();
    return listed;
}

}  // namespace

Result<void> check_use(const std::string& use, const config::Environment& environment) {
    const KnownUpstream* known = find_known(use);
    if (known == nullptr) {
        std::vector<std::string_view> names;
        for (const KnownUpstream& one : kKnown) names.push_back(one.name);
        return Error(
            ErrorCode::kUnsupportedValue,
            fmt::format("--use '{}' is unknown; the names are {}", use, fmt::join(names, ", ")));
    }
    if (known->key_variable.empty()) return {};
    const auto key =
        config::resolve_secret(fmt::format("env:{}", known->key_variable), environment);
    if (!key) return Error(key.error()).in("--use " + use);
    return {};
}

Result<providers::ModelCatalog> catalog_for(const std::string& use,
                                            const providers::ModelCatalog& configured,
                                            const config::Environment& environment,
                                            runtime::EventLoops& loops) {
    const auto checked = check_use(use, environment);
    if (!checked) return checked.error();
    const KnownUpstream& known = *find_known(use);
    providers::ProviderConfig provider;
    provider.kind = "openai";
    provider.base_url = known.base_url;
    if (!known.key_variable.empty()) {
        QUIRE_TRY(provider.api_key,
                  config::resolve_secret(fmt::format("env:{}", known.key_variable), environment));
    }
    auto names = list_models(known, provider.api_key.value, loops);
    if (!names) {
        return Error(names.error())
            .in(fmt::format("--use {}: no list of models from {}", use, known.base_url));
    }
    providers::ModelCatalog catalog;
    catalog.providers.emplace_back(use, provider);
    for (const std::string& name : *names) {
        providers::ModelConfig model;
        const providers::ModelConfig* known_model = configured.find_model(name);
        if (known_model != nullptr) model = *known_model;
        model.provider = use;
        const bool is_priced = model.price.input >= 0 || model.price.output >= 0;
        if (!is_priced) model.price = providers::kSimPrice;
        if (model.max_tokens_field.empty()) model.max_tokens_field = known.limit_field;
        catalog.models.emplace_back(name, model);
    }
    if (catalog.models.empty()) {
        return Error(ErrorCode::kUpstreamError,
                     fmt::format("--use {}: {} lists no model", use, known.base_url));
    }
    return catalog;
}

std::vector<std::string> find_hints(const config::Environment& environment) {
    std::vector<std::string> hints;
    for (const KnownUpstream& known : kKnown) {
        const auto key = environment.find(known.key_variable);
        if (!known.key_variable.empty() && key != environment.end() && !key->second.empty()) {
            hints.push_back(
                fmt::format("{} is set: quire up --use {}", known.key_variable, known.name));
        } else if (known.port != 0 && is_listening(known.port)) {
            hints.push_back(
                fmt::format("something listens on port {}, {}'s usual one: quire up "
                            "--use {}",
                            known.port, known.name, known.name));
        }
    }
    return hints;
}

}  // namespace quire::app
