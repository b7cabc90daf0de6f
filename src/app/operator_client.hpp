#pragma once

#include "base/result.hpp"
#include "runtime/http/url.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace quire::app {

/// An answer of the running process.
struct OperatorAnswer {
    int status = 0;
    std::string body;
};

/// Calls one HTTP route of a process that runs elsewhere: its operator's socket, or its public URL
/// with a key. `on_bytes` gets the body as it comes; without it the body is collected. Errors:
/// kStorageUnavailable when nothing answers, naming what was tried.
class OperatorClient {
public:
    static OperatorClient at_socket(const std::filesystem::path& socket, std::string org);
    static OperatorClient at_url(http::Url url, std::string key);

    bool is_socket() const { return !socket_.empty(); }
    Result<OperatorAnswer> send(const std::string& method, const std::string& path,
                                const std::string& body,
                                const std::function<void(std::string_view)>& on_bytes = {}) const;

private:
    std::string socket_;
    std::string org_;
    std::optional<http::Url> url_;
    std::string key_;
};

}  // namespace quire::app
