#include "tests/support/run_coroutine.hpp"

#include <cstdio>
#include <cstdlib>
#include <thread>

namespace quire::test {

namespace run_detail {

void fail_on_time_limit() {
    std::fprintf(stderr, "a coroutine under test did not end in time\n");
    std::abort();
}

}  // namespace run_detail

bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

}  // namespace quire::test
