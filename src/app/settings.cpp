#include "app/settings.hpp"

#include "base/id.hpp"
#include "runtime/http/url.hpp"
#include "services/review/policies.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace quire::app {
namespace {

using namespace std::chrono_literals;
using config::OptionTable;

/// Environment variables that begin with QUIRE_ and are no settings.
const std::vector<std::string> kReserved{"QUIRE_API_KEY"};

OptionTable<LimitSettings> limits_table() {
    using L = LimitSettings;
    OptionTable<L> t;
    t.duration("request_deadline", &L::request_deadline, 100ms, 24h, "How long a request may run.");
    t.duration("connect", &L::connect, 10ms, 5min, "Time to connect to a provider.");
    t.duration("first_token", &L::first_token, 10ms, 1h,
               "Time from the request to a provider's first content.");
    t.duration("between_tokens", &L::between_tokens, 10ms, 1h,
               "Longest silence within a provider's answer.");
    t.duration("queue_wait", &L::queue_wait, 0ms, 1h, "Longest wait for a place at a model.");
    t.duration("keep_alive", &L::keep_alive, 10ms, 1h,
               "Silence after which a stream gets a comment, so that proxies keep it open.");
    t.integer("retries", &L::retries, 0, 10,
              "Retries of one request in all, only before the first content.");
    t.integer("body_bytes", &L::body_bytes, 1024, 1 << 30, "Largest request body.");
    t.integer(
        "bodies_bytes", &L::bodies_bytes, 1024, std::int64_t{1} << 40,
        "All request bodies that are held at a time, one of body_bytes in any case; what goes "
        "beyond is 503 overloaded.");
    t.integer("connections", &L::connections, 1, 1'000'000, "Open client connections at most.");
    t.duration("header_timeout", &L::header_timeout, 10ms, 5min,
               "Time from a request's first byte to the end of its headers.");
    t.duration("idle_timeout", &L::idle_timeout, 10ms, 24h,
               "How long a connection may wait for the next request.");
    t.duration("body_timeout", &L::body_timeout, 10ms, 1h, "Time for a whole request body.");
    t.duration("write_stall", &L::write_stall, 10ms, 1h,
               "How long a client may take no byte before it is cut off.");
    return t;
}

OptionTable<ListenSettings> listen_table(const std::string& help) {
    OptionTable<ListenSettings> t;
    t.text("listen", &ListenSettings::listen, help, [](const std::string& text) -> Result<void> {
        const auto parsed = http::parse_host_port(text);
        if (!parsed) return parsed.error();
        return {};
    });
    return t;
}

OptionTable<LogSettings> log_table() {
    OptionTable<LogSettings> t;
    t.choice("level", &LogSettings::level, {"debug", "info", "warn", "error", "off"},
             "What is worth a line.");
    t.choice("format", &LogSettings::format, {"auto", "json", "text"},
             "auto: text on a terminal, else JSON lines.");
    return t;
}

}  // namespace

OptionTable<Settings> settings_table() {
    OptionTable<RuntimeSettings> runtime;
    runtime.integer("loops", &RuntimeSettings::loops, 0, 256,
                    "Event loop threads; 0 = one per core.");
    OptionTable<ShutdownSettings> shutdown;
    shutdown.duration("drain", &ShutdownSettings::drain, 0ms, 1h,
                      "How long running requests may go on after SIGTERM.");
    OptionTable<FirstRunSettings> first_run;
    first_run.integer("credits", &FirstRunSettings::credits, 0, 1'000'000'000'000'000,
                      "Micro-credits that the first organization is given.");
    OptionTable<CreditsSettings> credits;
    credits.integer("queue", &CreditsSettings::queue, 1, 1'000'000,
                    "How many operations may wait for the ledger; one more is 503 overloaded.");
    OptionTable<prompts::ContentConfig> content;
    content.boolean("store", &prompts::ContentConfig::store,
                    "Whether the pages of requests from now on hold what went in and came out.");
    content.boolean_map("projects", &prompts::ContentConfig::projects,
                        "Project id to true or false, for projects that differ from `store`.");
    OptionTable<analytics::AnalyticsConfig> analytics;
    analytics.duration("retention", &analytics::AnalyticsConfig::retention, 1h, 24h * 3650,
                       "How long the page of a request is kept; usage by day is kept for good.");
    OptionTable<Settings> t;
    t.section("gateway", &Settings::gateway,
              listen_table("The public API: HOST:PORT, port 0 = any."), "The public API.");
    t.section("admin", &Settings::admin,
              listen_table("Health and metrics: HOST:PORT, port 0 = any."), "Health and metrics.");
    t.map("providers", &Settings::providers, providers::provider_options(),
          "Model back ends by name.");
    t.map(
        "models", &Settings::models, providers::model_options(),
        "What is offered, in the order of GET /v1/models; none, and no providers: the model sim.");
    t.section("first_run", &Settings::first_run, first_run, "What a new folder starts with.");
    t.section("credits", &Settings::credits, credits, "The ledger.");
    t.section("review", &Settings::review, review::review_options(),
              "Rules for what goes in and comes out, by policy.");
    t.section("content", &Settings::content, content, "Texts in the request log.");
    t.section("analytics", &Settings::analytics, analytics, "The request log.");
    t.section("limits", &Settings::limits, limits_table(), "Every wait and size of a request.");
    t.section("log", &Settings::log, log_table(), "Log lines on stderr.");
    t.section("runtime", &Settings::runtime, runtime, "Threads.");
    t.section("shutdown", &Settings::shutdown, shutdown, "The end of the process.");
    return t;
}

namespace {

/// A misspelled id would leave a project on the default without a word.
template <class Named>
Result<void> check_project_ids(std::string_view where, const Named& projects) {
    for (const auto& [id, value] : projects) {
        if (ulid_of(id, "prj")) continue;
        return Error(ErrorCode::kInvalidValue,
                     fmt::format("{}.{}: not a project id (prj_ and 26 characters); `quire call "
                                 "auth.ListOrganizations` shows them",
                                 where, id));
    }
    return {};
}

Result<void> check_together(const Settings& settings) {
    if (settings.models.empty() && !settings.providers.empty()) {
        return Error(ErrorCode::kInvalidValue,
                     "models: there are providers, but no model that one of them serves; without "
                     "both there is the model sim");
    }
    const auto reviewed = check_project_ids("review.projects", settings.review.projects);
    if (!reviewed) return reviewed.error();
    return check_project_ids("content.projects", settings.content.projects);
}

Result<Settings> read_settings(const config::Node& root, const config::Environment& environment) {
    Settings settings;
    const auto read = settings_table().read(root, settings, environment);
    if (!read) return read.error();
    const auto sensible = check_together(settings);
    if (!sensible) return sensible.error();
    const auto policies = review::Policies::compile(settings.review);
    if (!policies) return Error(policies.error()).in("review");
    return settings;
}

}  // namespace

Result<Settings> load_settings(const std::optional<std::string>& file,
                               const config::Environment& environment) {
    config::Node root;
    root.kind = config::Node::Kind::kMap;
    if (file) {
        std::ifstream stream(*file);
        std::error_code ec;
        if (!stream || std::filesystem::is_directory(*file, ec)) {  // a folder opens, too
            return Error(ErrorCode::kInvalidValue, fmt::format("cannot read {}", *file));
        }
        const std::string text{std::istreambuf_iterator<char>(stream), {}};
        QUIRE_TRY(root, config::parse_yaml(text, *file));
        if (root.kind != config::Node::Kind::kMap) {
            return Error(ErrorCode::kInvalidValue,
                         fmt::format("{}: expected a map of settings", *file));
        }
    }
    const config::Node of_file = root;
    config::overlay_environment(root, environment, kReserved);
    auto settings = read_settings(root, environment);
    if (settings) return settings;
    // What is to be mended: the file, or a variable that was put over it.
    const auto alone = read_settings(of_file, environment);
    const bool is_of_file = file && !alone && alone.error() == settings.error();
    return Error(settings.error()).in(is_of_file ? *file : "environment");
}

gateway::GatewayConfig Settings::gateway_config() const {
    gateway::GatewayConfig config;
    config.listen = gateway.listen;
    config.body_bytes_max = limits.body_bytes;
    config.request_deadline = limits.request_deadline;
    config.retries = limits.retries;
    config.keep_alive = limits.keep_alive;
    config.http.connections_max = static_cast<std::size_t>(limits.connections);
    config.http.bodies_bytes_max =
        static_cast<std::size_t>(std::max(limits.bodies_bytes, limits.body_bytes));
    config.http.header_timeout = limits.header_timeout;
    config.http.idle_timeout = limits.idle_timeout;
    config.http.body_timeout = limits.body_timeout;
    config.http.write_stall = limits.write_stall;
    return config;
}

credits::CreditsConfig Settings::credits_config(providers::ModelCatalog catalog) const {
    return {std::move(catalog), credits.queue};
}

inference::InferenceConfig Settings::inference_config(providers::ModelCatalog catalog) const {
    inference::InferenceConfig config;
    config.catalog = std::move(catalog);
    config.connect = limits.connect;
    config.first_token = limits.first_token;
    config.between_tokens = limits.between_tokens;
    config.queue_wait = limits.queue_wait;
    return config;
}

std::string settings_reference() {
    std::vector<config::OptionDoc> docs;
    settings_table().document(Settings{}, docs, "");
    std::string out =
        "# Settings\n\n"
        "Made from the tables in the code; `quire config print` shows the values in force.\n"
        "Precedence: flags, environment (`QUIRE_LIMITS__RETRIES=1`), file (`--config FILE`), "
        "defaults.\nAn unknown key is an error. Secrets are `env:NAME` or `file:PATH`.\n\n"
        "| key | type | default | what |\n|---|---|---|---|\n";
    for (const config::OptionDoc& doc : docs) {
        const std::string shown = doc.default_text.empty() ? "" : "`" + doc.default_text + "`";
        out += fmt::format("| `{}` | {} | {} | {} |\n", doc.key, doc.type, shown, doc.help);
    }
    return out;
}

}  // namespace quire::app
