#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quire::config {

/// The name closest to `wanted` by edit distance; "" when `names` is empty.
std::string closest_name(std::string_view wanted, const std::vector<std::string>& names);

}  // namespace quire::config
