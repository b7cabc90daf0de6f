#pragma once

#include <poll.h>

namespace quire::test {

/// Whether the descriptor can be read, or its peer has left, within the tests' patience of 5 s.
inline bool is_readable_soon(int descriptor) {
    constexpr int kPatienceMillis = 5'000;
    pollfd readable{descriptor, POLLIN, 0};
    return poll(&readable, 1, kPatienceMillis) == 1;
}

}  // namespace quire::test
