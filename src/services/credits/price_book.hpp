#pragma once

#include "base/money.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire::credits {

/// What a model's tokens cost, in micro-credits per 1,000,000. A change makes a new version; holds
/// keep the version they were made with.
struct Price {
    std::int64_t version = 0;
    std::int64_t input = 0;
    std::int64_t output = 0;
};

/// Tokens of one request. Cached are a part of input, reasoning a part of output.
struct TokenUsage {
    std::int64_t input = 0;
    std::int64_t output = 0;
    std::int64_t cached = 0;
    std::int64_t reasoning = 0;
    bool is_estimated = false;

    bool operator==(const TokenUsage&) const = default;
};

struct PricedLine {
    std::string_view name;  ///< input, cached, output, reasoning
    std::int64_t tokens = 0;
    std::int64_t price = 0;
    Money amount;
};

struct PricedUsage {
    Money total;
    std::vector<PricedLine> lines;  ///< those with tokens; their amounts add up to total
};

/// Line k = ceil(S_k / 1,000,000) - ceil(S_(k-1) / 1,000,000) with S the running sum in the order
/// input, cached, output, reasoning, so that the lines add up and rounding happens once. nullopt
/// for negative tokens, parts greater than their whole, and what does not fit 64 bits.
std::optional<PricedUsage> price_usage(const TokenUsage& usage, const Price& price);

/// The most output tokens (at most `wanted`) for which input and output together cost at most
/// `budget`; -1 when the input alone costs more. Arguments are not negative.
std::int64_t affordable_output(Money budget, std::int64_t input_tokens, std::int64_t wanted,
                               const Price& price);

}  // namespace quire::credits
