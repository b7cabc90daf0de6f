#pragma once

#include <pthread.h>
#include <string>

namespace quire::runtime {

/// What `top -H` and perf show for the calling thread; Linux takes 15 bytes. False when refused.
inline bool name_this_thread(const std::string& name) {
    return pthread_setname_np(pthread_self(), name.substr(0, 15).c_str()) == 0;
}

}  // namespace quire::runtime
