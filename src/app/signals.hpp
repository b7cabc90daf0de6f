#pragma once

#include <chrono>
#include <csignal>

namespace quire::app {

/// SIGTERM and SIGINT, blocked in every thread that is made after this and waited for by the main
/// one. SIGPIPE and SIGXFSZ are ignored: a client that leaves, or a file that may not grow, is an
/// error of a write, not of the process.
class StopSignals {
public:
    StopSignals();
    /// Waits for the first signal.
    void wait() const;
    /// True when a signal came within `limit`.
    bool wait_for(std::chrono::milliseconds limit) const;

private:
    sigset_t set_{};
};

}  // namespace quire::app
