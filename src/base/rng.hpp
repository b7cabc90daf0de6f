#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace quire {

/// A source of random bits. Everything outside base/ and runtime/ is handed one, so that tests and
/// the simulation decide what is random.
class Rng {
public:
    virtual ~Rng() = default;
    virtual void fill(std::span<std::byte> bytes) = 0;

    std::uint64_t next_u64();
    /// Uniform in [0, bound); bound > 0. Rejects, so there is no modulo bias.
    std::uint64_t next_below(std::uint64_t bound);
    /// Uniform in [0, 1).
    double next_unit();
};

/// The kernel's cryptographic source; safe to use from any thread.
class SystemRng final : public Rng {
public:
    void fill(std::span<std::byte> bytes) override;
};

/// xoshiro256** seeded by splitmix64 (Blackman, Vigna 2018): repeatable, fast, not for secrets.
/// One thread at a time.
class SeededRng final : public Rng {
public:
    explicit SeededRng(std::uint64_t seed);
    void fill(std::span<std::byte> bytes) override;

private:
    std::uint64_t step();

    std::array<std::uint64_t, 4> state_{};
};

}  // namespace quire
