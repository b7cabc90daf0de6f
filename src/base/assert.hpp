#pragma once

/// Stops the process when an invariant of our own code is broken. Always on, in release too. Never
/// for input from outside: that gets an Error.
#define QUIRE_ASSERT(condition, why)                                                    \
    do {                                                                                \
        if (!(condition)) ::quire::fail_assertion(#condition, why, __FILE__, __LINE__); \
    } while (false)

#define QUIRE_CONCAT_IMPL(a, b) a##b
#define QUIRE_CONCAT(a, b) QUIRE_CONCAT_IMPL(a, b)

namespace quire {

[[noreturn]] void fail_assertion(const char* condition, const char* why, const char* file,
                                 int line);

}  // namespace quire
