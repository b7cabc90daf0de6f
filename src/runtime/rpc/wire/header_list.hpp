#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::rpc {

/// Headers or trailers of a call in the order they came; names in lower case.
using HeaderList = std::vector<std::pair<std::string, std::string>>;

/// The first value of `name`; "" when there is none.
inline std::string_view find_header(const HeaderList& headers, std::string_view name) {
    for (const auto& [key, value] : headers) {
        if (key == name) return value;
    }
    return "";
}

}  // namespace quire::rpc
