#pragma once

#include "base/error.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>

/// stdout takes a command's data, stderr what is said about it. Neither may end the process when it
/// takes no more (a file on a full disk), as the exception of fmt::print would.
namespace quire::app {

/// Where a standard file is closed the next file that is opened would get its number, and what is
/// said go into it. Afterwards writing to such a one fails. Before any other file is opened.
void keep_standard_files();

/// Without the control characters (C0 and C1) by which a text could steer a terminal; lines and
/// tabs stay.
std::string printable(std::string_view text);

void write_stdout(std::string_view text);
void write_stderr(std::string_view text);

/// Data, as fmt::format makes it.
template <class... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
    write_stdout(fmt::format(format, std::forward<Args>(args)...));
}

/// A line on stderr.
template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
    write_stderr(fmt::format(format, std::forward<Args>(args)...) + '\n');
}

void say_error(const Error& error);

/// Whether stdout has taken all that was printed; what failed is said, once.
bool flush_stdout();

}  // namespace quire::app
