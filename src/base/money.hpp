#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace quire {

/// An amount of money in micro-credits (millionths of a credit). Never floating point. Not called
/// Credits: that is the port of the service.
struct Money {
    std::int64_t micros = 0;

    auto operator<=>(const Money&) const = default;
};

/// nullopt when the sum or difference does not fit 64 bits: money never wraps.
std::optional<Money> checked_add(Money a, Money b);
std::optional<Money> checked_subtract(Money a, Money b);

/// One kind of tokens of a request and its price in micro-credits per 1,000,000 tokens.
struct PricedTokens {
    std::int64_t tokens = 0;
    std::int64_t price_per_million = 0;
};

/// ceil(sum(tokens x price) / 1,000,000): summed in 128 bits and rounded up once. nullopt for
/// negative input or when the result does not fit.
std::optional<Money> cost_of(std::span<const PricedTokens> lines);

}  // namespace quire
