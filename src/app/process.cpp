#include "app/process.hpp"

#include "app/admin_server.hpp"
#include "app/data_folder.hpp"
#include "app/discovery.hpp"
#include "app/modules.hpp"
#include "app/signals.hpp"
#include "app/terminal.hpp"
#include "quire/auth/v1/auth_port.hpp"
#include "quire/credits/v1/credits_port.hpp"
#include "runtime/http/problem.hpp"
#include "runtime/json.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "runtime/rpc/json_dispatcher.hpp"
#include "runtime/task_group.hpp"
#include "services/gateway/gateway_module.hpp"

#include <fmt/format.h>

#include <atomic>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace quire::app {
namespace {

using runtime::Module;
using std::chrono::milliseconds;

constexpr int kFailed = 1;
constexpr milliseconds kDrainPoll{20};
constexpr milliseconds kFolderPoll{1'000};

rpc::Principal owner_of(const auth::v1::Organization& organization) {
    rpc::Principal principal;
    principal.org_id = organization.id();
    principal.project_id = organization.project_id();
    principal.user_id = organization.user_id();
    return principal;
}

std::size_t loop_count(const Settings& settings) {
    if (settings.runtime.loops > 0) return static_cast<std::size_t>(settings.runtime.loops);
    return std::max(1U, std::thread::hardware_concurrency());
}

void configure_log(const LogSettings& log) {
    using runtime::LogLevel;
    const std::map<std::string, LogLevel> levels{{"debug", LogLevel::debug},
                                                 {"info", LogLevel::info},
                                                 {"warn", LogLevel::warn},
                                                 {"error", LogLevel::error},
                                                 {"off", LogLevel::off}};
    const bool is_text = log.format == "text" || (log.format == "auto" && isatty(STDERR_FILENO));
    runtime::configure_log(levels.at(log.level),
                           is_text ? runtime::LogFormat::text : runtime::LogFormat::json);
}

Error folder_gone(const std::filesystem::path& path) {
    return {ErrorCode::kStorageUnavailable,
            fmt::format("the data folder {} was removed, moved or replaced while this process used "
                        "it; put it back, or start with another folder",
                        path.string())};
}

http::Response problem_page(const Error& error, std::string_view /*target*/) {
    return http::problem(error, "");
}

/// The running process: modules in start order, the admin listener, the operator's socket. Members
/// are destroyed in reverse, so what others refer to stands first.
class Process {
public:
    Process(const UpOptions& options, std::unique_ptr<DataFolder> folder)
        : options_(options),
          folder_(std::move(folder)),
          loops_(loop_count(options.settings)),
          wiring_(loops_, clock_, rng_, folder_->path()) {}

    ~Process() { stop(); }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    Result<void> start(const config::Environment& environment);
    /// After start: the ready line's facts.
    std::string ready_json() const;
    std::string ready_text() const;
    Result<void> complete_first_run() { return wiring_.first_run.complete(); }

    bool has_folder() const { return folder_->is_there(); }
    void begin_drain();
    bool is_drained();
    void stop();

private:
    std::string url() const;
    std::string admin_url() const;
    Result<providers::ModelCatalog> make_catalog(const config::Environment& environment);
    Result<void> build_modules();
    Result<void> prepare_first_run();
    awaitable<Result<void>> grant_first_credits(std::int64_t amount);
    Result<void> start_admin();
    Result<void> start_socket();
    Result<void> check_ready();
    awaitable<Result<rpc::Principal>> find_tenant(const std::string& org);
    awaitable<Result<rpc::Principal>> find_oldest_tenant();

    UpOptions options_;
    std::unique_ptr<DataFolder> folder_;
    SystemClock clock_;
    SystemRng rng_;
    runtime::EventLoops loops_;
    runtime::Wiring wiring_;
    std::vector<std::unique_ptr<Module>> modules_;
    std::optional<AdminPages> admin_pages_;
    std::optional<http::Server> admin_;
    std::optional<rpc::JsonDispatcher> dispatcher_;
    std::optional<http::Server> socket_;
    std::optional<std::string> first_key_;
    std::atomic<bool> is_draining_{false};
    bool is_stopped_ = false;
};

Result<void> Process::start(const config::Environment& environment) {
    QUIRE_TRY(providers::ModelCatalog catalog, make_catalog(environment));
    wiring_.set_settings(options_.settings.gateway_config());
    wiring_.set_settings(options_.settings.credits_config(catalog));
    wiring_.set_settings(options_.settings.review);
    wiring_.set_settings(options_.settings.content);
    wiring_.set_settings(options_.settings.analytics);
    wiring_.set_settings(options_.settings.inference_config(std::move(catalog)));
    const auto built = build_modules();
    if (!built) return built;
    runtime::gauge_family("quire_build_info", "1, labelled with the running version.")
        .Add({{"version", QUIRE_VERSION}})
        .Set(1);
    runtime::live_tasks();
    const auto prepared = prepare_first_run();
    if (!prepared) return prepared;
    for (const auto& module : modules_) {
        const auto started = module->start();
        if (!started) return started;
    }
    const auto admin = start_admin();
    if (!admin) return admin;
    return start_socket();
}

Result<void> Process::prepare_first_run() {
    QUIRE_TRY(first_key_, wiring_.first_run.prepare());
    const std::int64_t amount = options_.settings.first_run.credits;
    if (!first_key_ || amount == 0) return {};
    return runtime::run_blocking<void>(loops_.loop(0).get_executor(), "first credits",
                                       grant_first_credits(amount));
}

/// A first run that was interrupted comes here again; its grant is booked once.
awaitable<Result<void>> Process::grant_first_credits(std::int64_t amount) {
    const auto credits = wiring_.need<credits::Credits>("credits");
    if (!credits) co_return credits.error();
    rpc::CallContext ctx;
    QUIRE_CO_TRY(ctx.principal, find_oldest_tenant());
    credits::v1::GrantRequest grant;
    grant.set_amount(amount);
    grant.set_reason("first run");
    grant.set_idempotency_key("first-run");
    const auto granted = co_await (*credits)->grant(ctx, grant);
    if (!granted) co_return granted.error();
    co_return Result<void>();
}

Result<providers::ModelCatalog> Process::make_catalog(const config::Environment& environment) {
    providers::ModelCatalog catalog = options_.settings.catalog();
    if (options_.use) {
        const providers::ModelCatalog configured = catalog;
        QUIRE_TRY(catalog, catalog_for(*options_.use, configured, environment, loops_));
        for (const auto& [name, model] : configured.models) {
            if (catalog.find_model(name) != nullptr) continue;
            say("--use {} does not list the configured model {}; it is not offered", *options_.use,
                name);
        }
    } else if (catalog.providers.empty()) {
        for (const std::string& hint : find_hints(environment)) {
            say("{}", hint);
        }
    }
    const auto completed = providers::complete_catalog(catalog);
    if (!completed) return completed.error();
    options_.settings.providers = catalog.providers;  // what is in force, for whoever asks
    options_.settings.models = catalog.models;
    return catalog;
}

Result<void> Process::build_modules() {
    QUIRE_TRY(const auto order, start_order(all_modules()));
    for (const ModuleSpec* spec : order) {
        auto module = spec->make(wiring_);
        if (!module) return module.error();
        modules_.push_back(*std::move(module));
    }
    return {};
}

Result<void> Process::start_admin() {
    std::string config_text;
    settings_table().print(options_.settings, config_text, 0);
    admin_pages_.emplace(QUIRE_VERSION, std::move(config_text), [this] { return check_ready(); });
    admin_.emplace(
        loops_, "admin", http::ServerLimits(),
        [this](http::Exchange& exchange) { return admin_pages_->handle(exchange); }, problem_page);
    QUIRE_TRY(const http::HostPort where, http::parse_host_port(options_.settings.admin.listen));
    return admin_->listen({where, ""});
}

Result<void> Process::start_socket() {
    dispatcher_.emplace(
        wiring_.methods(), [this](const std::string& org) { return find_tenant(org); }, clock_,
        rng_);
    socket_.emplace(
        loops_, "socket", http::ServerLimits(),
        [this](http::Exchange& exchange) { return dispatcher_->handle(exchange); }, problem_page);
    return socket_->listen({{}, socket_path(folder_->path())});
}

Result<void> Process::check_ready() {
    if (is_draining_) return Error(ErrorCode::kShuttingDown, "draining");
    if (!has_folder()) return folder_gone(folder_->path());
    for (const auto& module : modules_) {
        const auto ready = module->check_ready();
        if (!ready) return ready;
    }
    return {};
}

/// The one that the first run made; others may be there when the first run did not end.
awaitable<Result<rpc::Principal>> Process::find_oldest_tenant() {
    const auto auth = wiring_.need<auth::Auth>("auth");
    if (!auth) co_return auth.error();
    rpc::CallContext ctx;
    ctx.principal.is_operator = true;
    auth::v1::ListOrganizationsRequest request;
    request.mutable_page()->set_limit(1);
    QUIRE_CO_TRY(const auto listed, (*auth)->list_organizations(ctx, request));
    if (listed.organizations().empty()) {
        co_return Error(ErrorCode::kNotFound, "there is no organization");
    }
    co_return owner_of(listed.organizations(0));
}

/// The operator acts for one organization: the one it names, or the only one there is.
awaitable<Result<rpc::Principal>> Process::find_tenant(const std::string& org) {
    const auto auth = wiring_.need<auth::Auth>("auth");
    if (!auth) co_return auth.error();
    rpc::CallContext ctx;
    ctx.principal.is_operator = true;
    auth::v1::ListOrganizationsRequest request;
    request.mutable_page()->set_limit(1000);
    for (bool has_more = true; has_more;) {
        QUIRE_CO_TRY(const auto listed, (*auth)->list_organizations(ctx, request));
        has_more = listed.has_more();
        if (org.empty() && listed.organizations_size() > 1) {
            co_return Error(ErrorCode::kMissingRequiredParameter,
                            "there are several organizations; name one with --org");
        }
        for (const auto& organization : listed.organizations()) {
            request.mutable_page()->set_after(organization.id());
            if (org.empty() || organization.id() == org) co_return owner_of(organization);
        }
    }
    co_return Error(ErrorCode::kNotFound, fmt::format("there is no organization '{}'", org));
}

std::string Process::url() const {
    return http::url_of(http::parse_host_port(options_.settings.gateway.listen)->host,
                        wiring_.settings<gateway::GatewayAddress>().port);
}

std::string Process::admin_url() const {
    return http::url_of(http::parse_host_port(options_.settings.admin.listen)->host,
                        admin_->port());
}

std::string Process::ready_json() const {
    json::object line;
    line["event"] = "ready";
    line["url"] = url();
    line["admin_url"] = admin_url();
    line["data"] = folder_->path().string();
    line["version"] = QUIRE_VERSION;
    if (first_key_) line["api_key"] = *first_key_;
    return json::serialize(line);
}

std::string Process::ready_text() const {
    std::string text = fmt::format("Quire {} is ready on {}/v1 (health and metrics: {})\n",
                                   QUIRE_VERSION, url(), admin_url());
    if (first_key_) text += fmt::format("Your API key, shown this once: {}\n", *first_key_);
    return text;
}

void Process::begin_drain() {
    is_draining_ = true;
    for (const auto& module : modules_) module->begin_drain();
    socket_->begin_drain();
}

bool Process::is_drained() {
    for (const auto& module : modules_) {
        if (module->running() > 0) return false;
    }
    return socket_->active_exchanges() == 0;
}

void Process::stop() {
    if (std::exchange(is_stopped_, true)) return;
    if (socket_) socket_->stop();
    for (auto module = modules_.rbegin(); module != modules_.rend(); ++module) (*module)->stop();
    if (admin_) admin_->stop();
    loops_.stop();
    std::error_code ec;
    // What is there now may be another process's.
    if (has_folder()) std::filesystem::remove(socket_path(folder_->path()), ec);
    while (!modules_.empty()) modules_.pop_back();
}

/// The usual soft limit is for programs that use select(); limits.connections is far above it.
void raise_descriptor_limit() {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

int run_up(const UpOptions& options, const config::Environment& environment) {
    const StopSignals signals;
    umask(S_IRWXG | S_IRWXO);  // keys and texts are in the files
    raise_descriptor_limit();
    configure_log(options.settings.log);
    auto folder = DataFolder::lock(options.data);
    if (!folder) {
        say_error(folder.error());
        return kFailed;
    }
    Process process(options, *std::move(folder));
    const auto started = process.start(environment);
    if (!started) {
        say_error(started.error());
        return kFailed;
    }
    const std::string line = options.is_json ? process.ready_json() + "\n" : process.ready_text();
    write_stdout(line);
    if (flush_stdout()) {
        const auto completed = process.complete_first_run();
        if (!completed) say_error(completed.error());
    }
    // Without its folder no credit is safe: what was sold would be forgotten.
    bool is_folder_gone = false;
    while (!is_folder_gone && !signals.wait_for(kFolderPoll)) {
        is_folder_gone = !process.has_folder();
    }
    if (is_folder_gone) say_error(folder_gone(options.data));
    QUIRE_LOG(info, "draining", {"limit_ms", options.settings.shutdown.drain.count()});
    process.begin_drain();
    const SystemClock clock;
    const SteadyTime end = clock.steady() + options.settings.shutdown.drain;
    while (!process.is_drained() && clock.steady() < end) {
        if (signals.wait_for(kDrainPoll)) break;
    }
    process.stop();
    QUIRE_LOG(info, "stopped");
    return is_folder_gone ? kFailed : 0;
}

}  // namespace quire::app
