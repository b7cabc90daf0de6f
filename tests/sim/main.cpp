#include "tests/sim/simulation.hpp"

#include <fmt/format.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <unistd.h>

namespace {

using quire::sim::Counters;
using quire::sim::Simulation;

constexpr std::string_view kUsage =
    "ledger_sim --seeds A..B | --seed N | --seeds A..B --quiet\n"
    "  --seed N   one seed, and everything that happens in it\n"
    "  --quiet    no counters\n";

struct Options {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    bool traces = false;
    bool is_quiet = false;
};

std::string program;
std::string commit;
char reproduction[512];

bool read_number(std::string_view text, std::uint64_t& into) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    return error == std::errc() && end == text.data() + text.size();
}

bool read_range(std::string_view text, Options& into) {
    const std::size_t dots = text.find("..");
    return dots != std::string_view::npos && read_number(text.substr(0, dots), into.first) &&
           read_number(text.substr(dots + 2), into.last) && into.first <= into.last;
}

bool read_options(std::span<char* const> arguments, Options& into) {
    bool has_seeds = false;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const std::string_view name = arguments[i];
        const std::string_view value = i + 1 < arguments.size() ? arguments[i + 1] : "";
        if (name == "--quiet") {
            into.is_quiet = true;
        } else if (name == "--seed" && read_number(value, into.first)) {
            into.last = into.first;
            into.traces = has_seeds = true;
            ++i;
        } else if (name == "--seeds" && read_range(value, into)) {
            has_seeds = true;
            ++i;
        } else {
            return false;
        }
    }
    return has_seeds;
}

/// What git calls the sources; the program says it for whoever looks at the seed later.
std::string read_commit() {
    std::string text;
    FILE* git = popen("git -C " QUIRE_SOURCE_DIR " describe --always --dirty 2>/dev/null", "r");
    if (git == nullptr) return "unknown";
    for (int c = std::fgetc(git); c != EOF && c != '\n'; c = std::fgetc(git)) {
        text += static_cast<char>(c);
    }
    pclose(git);
    return text.empty() ? "unknown" : text;
}

/// Kept ready, so that an assertion of the ledger says it too.
void prepare_reproduction(std::uint64_t seed) {
    const auto made =
        fmt::format_to_n(reproduction, sizeof reproduction - 1,
                         "reproduce: {} --seed {}  (commit {})\n", program, seed, commit);
    *made.out = '\0';
}

void on_abort(int signal) {
    std::signal(signal, SIG_DFL);
    const ssize_t written = write(STDOUT_FILENO, reproduction, std::strlen(reproduction));
    static_cast<void>(written);
    std::raise(signal);
}

int run(const Options& options) {
    Counters counters;
    const auto start = std::chrono::steady_clock::now();
    for (std::uint64_t seed = options.first; seed <= options.last; ++seed) {
        prepare_reproduction(seed);
        Simulation simulation(seed, options.traces, counters);
        const std::string violation = simulation.run();
        if (violation.empty()) continue;
        fmt::print("violation: {}\n{}{} seeds before this one were clean\n", violation,
                   reproduction, seed - options.first);
        return 1;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const std::uint64_t seeds = options.last - options.first + 1;
    if (!options.is_quiet) {
        for (const auto& [name, times] : counters) fmt::print("{:>12}  {}\n", times, name);
    }
    fmt::print("{} seeds, 0 violations, {:.1f} s, {:.0f} seeds/s\n", seeds, took.count(),
               static_cast<double>(seeds) / took.count());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::span<char* const> arguments(argv, static_cast<std::size_t>(argc));
    Options options;
    if (!read_options(arguments, options)) {
        fmt::print(stderr, "{}", kUsage);
        return 2;
    }
    program = arguments[0];
    commit = read_commit();
    for (const int signal : {SIGABRT, SIGSEGV, SIGFPE}) std::signal(signal, on_abort);
    return run(options);
}
