#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace quire {

void fail_assertion(const char* condition, const char* why, const char* file, int line) {
    std::fprintf(stderr, "quire: assertion failed: %s (%s) at %s:%d\n", condition, why, file, line);
    std::abort();
}

}  // namespace quire
