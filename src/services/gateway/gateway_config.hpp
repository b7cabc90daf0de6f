#pragma once

#include "runtime/http/http_server.hpp"

#include <chrono>
#include <string>

namespace quire::gateway {

struct GatewayConfig {
    std::string listen = "127.0.0.1:8700";
    std::int64_t body_bytes_max = 10 * 1024 * 1024;
    std::chrono::milliseconds request_deadline{600'000};
    std::chrono::milliseconds key_cache{5'000};
    std::chrono::milliseconds keep_alive{10'000};
    std::int64_t retries = 2;
    http::ServerLimits http;
};

}  // namespace quire::gateway
