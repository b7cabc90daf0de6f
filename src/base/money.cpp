#include "base/money.hpp"

#include <limits>

namespace quire {

std::optional<Money> checked_add(Money a, Money b) {
    Money sum;
    if (__builtin_add_overflow(a.micros, b.micros, &sum.micros)) return std::nullopt;
    return sum;
}

std::optional<Money> checked_subtract(Money a, Money b) {
    Money difference;
    if (__builtin_sub_overflow(a.micros, b.micros, &difference.micros)) return std::nullopt;
    return difference;
}

std::optional<Money> cost_of(std::span<const PricedTokens> lines) {
    __extension__ using Wide = unsigned __int128;
    constexpr Wide kMillion = 1'000'000;
    Wide total = 0;
    for (const PricedTokens& line : lines) {
        if (line.tokens < 0 || line.price_per_million < 0) return std::nullopt;
        const Wide amount =
            static_cast<Wide>(line.tokens) * static_cast<Wide>(line.price_per_million);
        if (__builtin_add_overflow(total, amount, &total)) return std::nullopt;
    }
    const Wide cost = total / kMillion + (total % kMillion == 0 ? 0 : 1);
    if (cost > static_cast<Wide>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
    return Money{static_cast<std::int64_t>(cost)};
}

}  // namespace quire
