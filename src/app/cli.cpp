#include "app/cli.hpp"

#include "app/commands.hpp"
#include "app/data_folder.hpp"
#include "app/discovery.hpp"
#include "app/process.hpp"
#include "app/terminal.hpp"
#include "runtime/config/values.hpp"
#include "runtime/http/url.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace quire::app {
namespace {

/// "" for the number of a version, else why it is none.
std::string is_version(const std::string& text) {
    const auto number = config::parse_integer(text);
    return number && *number > 0 ? "" : "must be a whole number of at least 1";
}

/// "" for the name of a method, else why it is none.
std::string is_method(const std::string& text) {
    return text.find('.') != std::string::npos ? "" : "must be SERVICE.Method";
}

/// The commands and where their flags land.
class CommandLine {
public:
    explicit CommandLine(config::Environment environment) : environment_(std::move(environment)) {
        data_ = default_data_folder(environment_).string();
        program_.require_subcommand(1);
        program_.failure_message(CLI::FailureMessage::simple);
        add_up();
        add_sim();
        add_call();
        add_keys();
        add_credits();
        add_prompts();
        add_config();
        add_plain("version", "Print the version.", [this] { return version_command(options_); });
        add_plain("doctor", "Look at configuration, data folder and the running process.",
                  [this] { return doctor_command(options_, environment_); });
    }

    int run(int argc, char** argv) {
        try {
            program_.parse(argc, argv);
        } catch (const CLI::Success& help) {
            return program_.exit(help);
        } catch (const CLI::ParseError& e) {
            if (!name_unknown_command(argc, argv)) program_.exit(e);
            return kWrongUsage;
        }
        options_.data = data_;
        const int status = action_();
        return flush_stdout() ? status : kCommandFailed;
    }

private:
    /// The parser says only that a command is missing. Names the word that is none; false when that
    /// is not what is wrong.
    bool name_unknown_command(int argc, char** argv) const {
        const CLI::App* at = &program_;
        for (int i = 1; i < argc; ++i) {
            const auto commands = at->get_subcommands([](const CLI::App*) { return true; });
            if (commands.empty() || argv[i][0] == '-') return false;
            std::vector<std::string> names;
            const CLI::App* next = nullptr;
            for (const CLI::App* command : commands) {
                names.push_back(command->get_name());
                if (names.back() == argv[i]) next = command;
            }
            if (next == nullptr) {
                const std::string path = at == &program_ ? "quire" : "quire " + at->get_name();
                say("{}: there is no command '{}'; there are {}", path, argv[i],
                    fmt::join(names, ", "));
                return true;
            }
            at = next;
        }
        return false;
    }

    CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& help,
                          std::function<int()> action) {
        CLI::App* command = parent.add_subcommand(name, help);
        command->add_option("--data", data_, "The data folder")->capture_default_str();
        command->add_option("--org", options_.org, "Organization (default: the only one)");
        command->add_flag("--json", options_.is_json, "Data as JSON on stdout");
        command->callback([this, action = std::move(action)] { action_ = action; });
        return command;
    }
    void add_plain(const std::string& name, const std::string& help, std::function<int()> action) {
        CLI::App* command = add_command(program_, name, help, std::move(action));
        command->add_option("--config", options_.config_file, "Configuration file (YAML)");
        command->add_option("--url", options_.url, "A process elsewhere, with QUIRE_API_KEY");
    }

    void add_up() {
        CLI::App* up = add_command(program_, "up", "Run every service in this process.",
                                   [this] { return up_command(); });
        up->add_option("--listen", listen_, "Public API, HOST:PORT (default 127.0.0.1:8700)");
        up->add_option("--admin", admin_, "Health and metrics, HOST:PORT (default 127.0.0.1:8701)");
        up->add_option("--config", options_.config_file, "Configuration file (YAML)");
        up->add_option("--use", use_, "A real model back end: openai, ollama, vllm or llama");
    }

    void add_sim() {
        CLI::App* sim = add_command(program_, "sim", "Run an OpenAI-compatible simulator.", [this] {
            sim_.is_json = options_.is_json;
            return run_sim(sim_);
        });
        sim->add_option("--listen", sim_.listen, "HOST:PORT, port 0 = any")->capture_default_str();
        sim->add_option("--ttft-ms", sim_.ttft_ms, "Time to the first token")
            ->check(CLI::Range(0, 3'600'000));
        sim->add_option("--itl-ms", sim_.itl_ms, "Time between tokens")
            ->check(CLI::Range(0, 60'000));
        sim->add_option("--tokens", sim_.tokens, "Tokens of an answer")
            ->check(CLI::Range(1, 1'000'000));
        sim->add_option("--seed", sim_.seed, "What the text derives from")
            ->check(CLI::NonNegativeNumber);
        sim->add_option("--fail-rate", sim_.fail_rate, "Share of requests answered 500")
            ->check(CLI::Range(0.0, 1.0));
        sim->add_option("--cut-rate", sim_.cut_rate, "Share of streams cut in the middle")
            ->check(CLI::Range(0.0, 1.0));
    }

    void add_call() {
        CLI::App* call =
            add_command(program_, "call", "Call a method, e.g. quire call auth.ListKeys '{}'",
                        [this] { return call_command(options_, environment_, method_, body_); });
        call->add_option("method", method_, "SERVICE.Method")->required()->check(is_method);
        call->add_option("json", body_, "The request as protobuf JSON")->capture_default_str();
    }

    void add_keys() {
        CLI::App* keys = program_.add_subcommand("keys", "Create, list and revoke API keys.");
        keys->require_subcommand(1);
        CLI::App* create =
            add_command(*keys, "create", "Make a key; its text is shown once.",
                        [this] { return create_key_command(options_, environment_, new_key_); });
        create->add_option("--name", new_key_.name, "What it is for")->required();
        create->add_option("--scopes", new_key_.scopes, "Comma-separated (default: inference)");
        create->add_option("--expires", new_key_.expires, "Lifetime such as 30d (default: never)");
        CLI::App* list = add_command(*keys, "list", "List keys, newest first.",
                                     [this] { return list_keys_command(options_, environment_); });
        CLI::App* revoke = add_command(*keys, "revoke", "Revoke a key.", [this] {
            return revoke_key_command(options_, environment_, id_);
        });
        revoke->add_option("id", id_, "key_…")->required();
        for (CLI::App* command : {create, list, revoke}) {
            command->add_option("--url", options_.url, "A process elsewhere, with QUIRE_API_KEY");
        }
    }

    void add_credits() {
        CLI::App* credits =
            program_.add_subcommand("credits", "Look at the ledger, grant credits.");
        credits->require_subcommand(1);
        CLI::App* balance = add_command(*credits, "balance", "What is available and held.",
                                        [this] { return balance_command(options_, environment_); });
        CLI::App* entries = add_command(*credits, "entries", "The last entries, newest first.",
                                        [this] { return entries_command(options_, environment_); });
        CLI::App* grant = add_command(*credits, "grant", "Add prepaid credits.", [this] {
            return grant_command(options_, environment_, new_grant_);
        });
        grant->add_option("amount", new_grant_.amount, "Micro-credits")->required();
        grant->add_option("--reason", new_grant_.reason, "What for; shown in entries")->required();
        add_command(*credits, "verify", "Check the ledger's invariants.",
                    [this] { return verify_command(options_); });
        for (CLI::App* command : {balance, entries}) {
            command->add_option("--url", options_.url, "A process elsewhere, with QUIRE_API_KEY");
        }
    }

    void add_prompts() {
        CLI::App* prompts = program_.add_subcommand("prompts", "Publish prompts, move labels.");
        prompts->require_subcommand(1);
        CLI::App* list = add_command(*prompts, "list", "List prompts by name.", [this] {
            return list_prompts_command(options_, environment_);
        });
        CLI::App* get =
            add_command(*prompts, "get", "Show a version, by default the newest.",
                        [this] { return get_prompt_command(options_, environment_, prompt_); });
        get->add_option("name", prompt_.name, "The prompt")->required();
        get->add_option("--label", prompt_.label, "The version that this label points at");
        get->add_option("--version", prompt_.version, "The version of this number")
            ->check(is_version);
        CLI::App* publish = add_command(*prompts, "publish", "Add a version.", [this] {
            return publish_prompt_command(options_, environment_, prompt_file_, prompt_.label);
        });
        publish->add_option("file", prompt_file_, "YAML or JSON: name, messages, model, parameters")
            ->required();
        publish->add_option("--label", prompt_.label, "Moves to the new version");
        CLI::App* label = add_command(*prompts, "label", "Point a label at a version.", [this] {
            return label_prompt_command(options_, environment_, prompt_);
        });
        label->add_option("name", prompt_.name, "The prompt")->required();
        label->add_option("version", prompt_.version, "The number of the version")
            ->required()
            ->check(is_version);
        label->add_option("label", prompt_.label, "Such as production")->required();
        for (CLI::App* command : {list, get, publish, label}) {
            command->add_option("--url", options_.url, "A process elsewhere, with QUIRE_API_KEY");
        }
    }

    void add_config() {
        CLI::App* config = program_.add_subcommand("config", "Check or print the configuration.");
        config->require_subcommand(1);
        CLI::App* check = add_command(*config, "check", "Say whether it is valid.", [this] {
            return check_config_command(options_, environment_);
        });
        CLI::App* print = add_command(*config, "print", "Print the values in force.", [this] {
            return print_config_command(options_, environment_);
        });
        CLI::App* reference =
            add_command(*config, "reference", "Print docs/reference/config.md.", [] {
                write_stdout(settings_reference());
                return kDone;
            });
        static_cast<void>(reference);
        for (CLI::App* command : {check, print}) {
            command->add_option("--config", options_.config_file, "Configuration file (YAML)");
        }
    }

    /// Before a flag is one of many sources of its setting.
    Result<void> check_addresses() const {
        for (const auto& [flag, address] :
             {std::pair{"--listen", &listen_}, std::pair{"--admin", &admin_}}) {
            if (address->empty()) continue;
            const auto parsed = http::parse_host_port(*address);
            if (!parsed) return Error(parsed.error()).in(flag);
        }
        return {};
    }

    int up_command() {
        const auto addresses = check_addresses();
        if (!addresses) return wrong_usage(addresses.error());
        UpOptions up;
        up.data = options_.data;
        up.is_json = options_.is_json;
        up.use = use_;
        config::Environment environment = environment_;
        // Flags are the last word, so they go where the environment's overlay will find them.
        if (!listen_.empty()) environment["QUIRE_GATEWAY__LISTEN"] = listen_;
        if (!admin_.empty()) environment["QUIRE_ADMIN__LISTEN"] = admin_;
        std::optional<std::string> file;
        if (!options_.config_file.empty()) file = options_.config_file;
        auto settings = load_settings(file, environment);
        Result<void> usable;
        if (use_) usable = check_use(*use_, environment_);
        if (settings && usable && !use_) {
            providers::ModelCatalog catalog = settings->catalog();
            usable = providers::complete_catalog(catalog);
        }
        if (!settings || !usable) {
            return wrong_usage(settings ? usable.error() : settings.error());
        }
        up.settings = *std::move(settings);
        return run_up(up, environment_);
    }

    config::Environment environment_;
    CLI::App program_{"The back end of a product built on generative AI.", "quire"};
    std::function<int()> action_;
    GlobalOptions options_;
    std::string data_;
    std::string listen_;
    std::string admin_;
    std::optional<std::string> use_;
    SimOptions sim_;
    std::string method_;
    std::string body_ = "{}";
    NewKey new_key_;
    NewGrant new_grant_;
    std::string id_;
    PromptChoice prompt_;
    std::string prompt_file_;
};

}  // namespace

int run_cli(int argc, char** argv) {
    keep_standard_files();
    try {
        return CommandLine(config::process_environment()).run(argc, argv);
    } catch (const std::exception& e) {
        say("quire: {}", e.what());
        return kCommandFailed;
    }
}

}  // namespace quire::app
