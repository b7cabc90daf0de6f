#include "app/terminal.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace quire::app {

void write_stdout(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void write_stderr(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

void say_error(const Error& error) { say("quire: {} ({})", error.message(), error.name()); }

bool flush_stdout() {
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return true;
    say("quire: cannot write to stdout: {}", std::strerror(errno));
    std::clearerr(stdout);
    return false;
}

}  // namespace quire::app
