#include "app/signals.hpp"

#include <cerrno>
#include <pthread.h>

namespace quire::app {

StopSignals::StopSignals() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
}

void StopSignals::wait() const {
    int received = 0;
    while (sigwait(&set_, &received) == EINTR) {
    }
}

bool StopSignals::wait_for(std::chrono::milliseconds limit) const {
    timespec time{};
    time.tv_sec = limit.count() / 1000;
    time.tv_nsec = (limit.count() % 1000) * 1'000'000;
    return sigtimedwait(&set_, nullptr, &time) > 0;
}

}  // namespace quire::app
