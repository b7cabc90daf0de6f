#include "services/credits/price_book.hpp"

#include <algorithm>
#include <array>

namespace quire::credits {
namespace {

__extension__ using Wide = __int128;
constexpr Wide kMillion = 1'000'000;

}  // namespace

std::optional<PricedUsage> price_usage(const TokenUsage& usage, const Price& price) {
    const bool is_sane = usage.cached >= 0 && usage.reasoning >= 0 && usage.cached <= usage.input &&
                         usage.reasoning <= usage.output;
    if (!is_sane) return std::nullopt;
    const std::array<PricedLine, 4> all{{
        {"input", usage.input - usage.cached, price.input, {}},
        {"cached", usage.cached, price.input, {}},
        {"output", usage.output - usage.reasoning, price.output, {}},
        {"reasoning", usage.reasoning, price.output, {}},
    }};
    PricedUsage priced;
    std::array<PricedTokens, all.size()> sum{};
    for (std::size_t i = 0; i < all.size(); ++i) {
        sum[i] = {all[i].tokens, all[i].price};
        const auto total = cost_of(std::span(sum).first(i + 1));
        if (!total) return std::nullopt;
        PricedLine line = all[i];
        line.amount = {total->micros - priced.total.micros};
        priced.total = *total;
        if (line.tokens > 0) priced.lines.push_back(line);
    }
    return priced;
}

std::int64_t affordable_output(Money budget, std::int64_t input_tokens, std::int64_t wanted,
                               const Price& price) {
    const Wide left = Wide{budget.micros} * kMillion - Wide{input_tokens} * price.input;
    if (left < 0) return -1;
    if (price.output == 0) return wanted;
    return static_cast<std::int64_t>(std::min<Wide>(left / price.output, wanted));
}

}  // namespace quire::credits
