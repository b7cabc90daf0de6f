#pragma once

#include <cstdlib>
#include <fstream>
#include <string>

namespace quire::test {

/// Resident memory in KiB of a process: its id, or `self`.
inline double resident_kib(const std::string& process) {
    std::ifstream status("/proc/" + process + "/status");
    std::string line;
    while (std::getline(status, line)) {
        if (line.starts_with("VmRSS:")) return std::atof(line.c_str() + 6);
    }
    return 0;
}

}  // namespace quire::test
