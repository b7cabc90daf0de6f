#include "base/rng.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <sys/random.h>

namespace quire {

std::uint64_t Rng::next_u64() {
    std::uint64_t value = 0;
    fill(std::as_writable_bytes(std::span(&value, 1)));
    return value;
}

std::uint64_t Rng::next_below(std::uint64_t bound) {
    QUIRE_ASSERT(bound > 0, "next_below needs a positive bound");
    const std::uint64_t rest = (UINT64_MAX % bound + 1) % bound;
    std::uint64_t value = next_u64();
    while (value > UINT64_MAX - rest) value = next_u64();
    return value % bound;
}

double Rng::next_unit() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }

namespace {

void read_kernel(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        QUIRE_ASSERT(got > 0, "getrandom failed");
        bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
}

/// Bytes of the kernel's source, fetched ahead: a request needs some for each of its ids, and a
/// system call apiece was 2 % of its cost. What was given out is wiped.
struct Reserve {
    std::array<std::byte, 1024> bytes{};
    std::size_t used = sizeof bytes;
};
thread_local Reserve reserve;

}  // namespace

void SystemRng::fill(std::span<std::byte> bytes) {
    if (bytes.size() > reserve.bytes.size()) {
        read_kernel(bytes);
        return;
    }
    if (reserve.bytes.size() - reserve.used < bytes.size()) {
        read_kernel(reserve.bytes);
        reserve.used = 0;
    }
    const std::span from = std::span(reserve.bytes).subspan(reserve.used, bytes.size());
    std::copy(from.begin(), from.end(), bytes.begin());
    std::fill(from.begin(), from.end(), std::byte{0});
    reserve.used += bytes.size();
}

SeededRng::SeededRng(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
        seed += 0x9e3779b97f4a7c15ULL;
        std::uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        word = z ^ (z >> 31);
    }
}

std::uint64_t SeededRng::step() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

void SeededRng::fill(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        const std::uint64_t word = step();
        const std::size_t count = std::min(bytes.size(), sizeof word);
        std::memcpy(bytes.data(), &word, count);
        bytes = bytes.subspan(count);
    }
}

}  // namespace quire
