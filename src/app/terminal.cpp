#include "app/terminal.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace quire::app {

void keep_standard_files() {
    int file = open("/dev/null", O_RDONLY);
    while (file >= 0 && file <= STDERR_FILENO) file = open("/dev/null", O_RDONLY);
    if (file > STDERR_FILENO) close(file);
}

std::string printable(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
        const bool is_c1 = c == 0xC2 && next >= 0x80 && next < 0xA0;
        if (is_c1) ++i;
        if (is_c1 || (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) continue;
        out += text[i];
    }
    return out;
}

void write_stdout(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void write_stderr(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

void say_error(const Error& error) {
    say("quire: {} ({})", printable(error.message()), error.name());
}

bool flush_stdout() {
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return true;
    say("quire: cannot write to stdout: {}", std::strerror(errno));
    std::clearerr(stdout);
    return false;
}

}  // namespace quire::app
