#include "runtime/config/suggestion.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace quire::config {
namespace {

/// Levenshtein distance by two rows.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
        }
    }
    return row.back();
}

}  // namespace

std::string closest_name(std::string_view wanted, const std::vector<std::string>& names) {
    const auto best = std::min_element(
        names.begin(), names.end(),
        [&](const auto& a, const auto& b) { return distance(wanted, a) < distance(wanted, b); });
    return best == names.end() ? "" : *best;
}

}  // namespace quire::config
