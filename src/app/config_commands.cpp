#include "app/commands.hpp"
#include "app/discovery.hpp"
#include "app/terminal.hpp"
#include "runtime/json.hpp"

#include <fmt/format.h>

namespace quire::app {
namespace {

/// The settings as `quire up` would run with them.
Result<Settings> load_checked(const GlobalOptions& options,
                              const config::Environment& environment) {
    std::optional<std::string> file;
    if (!options.config_file.empty()) file = options.config_file;
    QUIRE_TRY(Settings settings, load_settings(file, environment));
    providers::ModelCatalog catalog = settings.catalog();
    const auto completed = providers::complete_catalog(catalog);
    if (!completed) return completed.error();
    settings.providers = catalog.providers;
    settings.models = catalog.models;
    return settings;
}

}  // namespace

int check_config_command(const GlobalOptions& options, const config::Environment& environment) {
    const auto settings = load_checked(options, environment);
    if (!settings) return wrong_usage(settings.error());
    if (options.is_json) {
        print("{{\"ok\":true,\"models\":{}}}\n", settings->models.size());
    } else {
        say("The configuration is valid: {} model(s).", settings->models.size());
    }
    return kDone;
}

int print_config_command(const GlobalOptions& options, const config::Environment& environment) {
    const auto settings = load_checked(options, environment);
    if (!settings) return wrong_usage(settings.error());
    std::string text;
    if (options.is_json) {
        settings_table().print_json(*settings, text);
        text += '\n';
    } else {
        settings_table().print(*settings, text, 0);
    }
    write_stdout(text);
    return kDone;
}

int version_command(const GlobalOptions& options) {
    if (options.is_json) {
        print("{{\"version\":\"{}\"}}\n", QUIRE_VERSION);
    } else {
        print("quire {}\n", QUIRE_VERSION);
    }
    return kDone;
}

int doctor_command(const GlobalOptions& options, const config::Environment& environment) {
    json::object report;
    report["version"] = QUIRE_VERSION;
    report["data"] = options.data.string();
    const auto settings = load_checked(options, environment);
    report["config"] = settings ? "ok" : settings.error().message();
    json::array hints;
    for (const std::string& hint : find_hints(environment)) hints.emplace_back(hint);
    report["found"] = std::move(hints);
    const auto client = connect(options, environment);
    std::string process = client ? "" : client.error().message();
    if (client) {
        const auto answer =
            client->is_socket()
                ? client->send("POST", "/rpc/quire.auth.v1.Auth/ListOrganizations", "{}")
                : client->send("GET", "/v1/models", "");
        if (!answer) {
            process = answer.error().message();
        } else {
            const bool is_well = answer->status == 200;
            process = is_well ? "running"
                              : fmt::format("answers {}: {}", answer->status,
                                            error_of(*answer).message());
        }
    }
    report["process"] = process;
    if (options.is_json) {
        print("{}\n", json::serialize(report));
    } else {
        for (const auto& fact : report) {
            print("{:8} {}\n", std::string_view(fact.key().data(), fact.key().size()),
                  json::serialize(fact.value()));
        }
    }
    return settings ? kDone : kWrongUsage;
}

}  // namespace quire::app
