#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace quire {

/// An amount of money in micro-credits (millionths of a credit). Never floating point.
struct Credits {
    std::int64_t micros = 0;

    auto operator<=>(const Credits&) const = default;
};

/// nullopt when the sum or difference does not fit 64 bits: money never wraps.
std::optional<Credits> checked_add(Credits a, Credits b);
std::optional<Credits> checked_subtract(Credits a, Credits b);

/// One kind of tokens of a request and its price in micro-credits per 1,000,000 tokens.
struct PricedTokens {
    std::int64_t tokens = 0;
    std::int64_t price_per_million = 0;
};

/// ceil(sum(tokens x price) / 1,000,000): summed in 128 bits and rounded up once. nullopt for
/// negative input or when the result does not fit.
std::optional<Credits> cost_of(std::span<const PricedTokens> lines);

}  // namespace quire
