#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace quire::bench {

/// The processor time of this process and of another one, the server, since it was made.
class BothEnds {
public:
    explicit BothEnds(pid_t server) : is_alone_(server == 0) {
        if (!is_alone_) clock_getcpuclockid(server, &server_clock_);
        own_ = seconds(CLOCK_PROCESS_CPUTIME_ID);
        server_ = is_alone_ ? 0 : seconds(server_clock_);
    }
    double own() const { return seconds(CLOCK_PROCESS_CPUTIME_ID) - own_; }
    double server() const { return is_alone_ ? 0 : seconds(server_clock_) - server_; }

private:
    static double seconds(clockid_t clock) {
        timespec time{};
        clock_gettime(clock, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
    }

    bool is_alone_;
    clockid_t server_clock_{};
    double own_ = 0;
    double server_ = 0;
};

inline double percentile(std::vector<double> values, double share) {
    if (values.empty()) return 0;
    const auto at = values.begin() +
                    static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

/// One line of JSON: what a unit of `what` cost both ends, and how long one took.
inline void print_cost(std::string_view what, const BothEnds& cpu, double seconds, double units,
                       const std::vector<double>& waits = {}) {
    fmt::print(
        "{{\"what\":\"{}\",\"client_us\":{:.4f},\"server_us\":{:.4f},\"per_second\":{:.1f},"
        "\"p50_us\":{:.2f},\"p99_us\":{:.2f}}}\n",
        what, cpu.own() * 1e6 / units, cpu.server() * 1e6 / units, units / seconds,
        percentile(waits, 0.5) * 1e6, percentile(waits, 0.99) * 1e6);
    std::fflush(stdout);
}

}  // namespace quire::bench
