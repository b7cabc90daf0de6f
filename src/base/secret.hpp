#pragma once

#include <string>
#include <utility>

namespace quire {

/// A key or password: it cannot be printed or logged by accident; `reveal` is the only way out.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}

    const std::string& reveal() const { return value_; }
    bool empty() const { return value_.empty(); }
    /// What logs and `config print` show.
    static constexpr const char* kMask = "***";

private:
    std::string value_;
};

}  // namespace quire
