#pragma once

#include "app/settings.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace quire::app {

/// What `quire up` was told, after flags, environment and file.
struct UpOptions {
    std::filesystem::path data;
    Settings settings;
    std::optional<std::string> use;  ///< a name of --use
    bool is_json = false;
};

/// Runs every service in this process until SIGTERM or SIGINT; gives the exit status. Talks on
/// stderr; the ready line goes to stdout.
int run_up(const UpOptions& options, const config::Environment& environment);

/// `quire sim`: the simulator as a server of its own, until a signal.
struct SimOptions {
    std::string listen = "127.0.0.1:8710";
    std::int64_t ttft_ms = 50;
    std::int64_t itl_ms = 10;
    std::int64_t tokens = 120;
    std::int64_t seed = 1;
    double fail_rate = 0;
    double cut_rate = 0;
    bool is_json = false;
};
int run_sim(const SimOptions& options);

}  // namespace quire::app
