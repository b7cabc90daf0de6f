#pragma once

#include "base/clock.hpp"
#include "quire/auth/v1/auth_port.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace quire::gateway {

/// Keys to principals, remembered for at most `age_max`, so that a revocation is in force
/// everywhere within that time. Keeps a hash of the key, never the key. Safe from several loops.
class PrincipalCache {
public:
    PrincipalCache(std::shared_ptr<auth::Auth> auth, const Clock& clock,
                   std::chrono::milliseconds age_max)
        : auth_(std::move(auth)), clock_(clock), age_max_(age_max) {}

    /// kInvalidApiKey, kApiKeyExpired, kApiKeyRevoked, kStorageUnavailable. Refusals are not kept.
    awaitable<Result<std::shared_ptr<const rpc::Principal>>> find(const rpc::CallContext& ctx,
                                                                  std::string_view key);
    /// A key was revoked through this process: forget everything that names it.
    void forget(std::string_view key_id);

private:
    using KeyHash = std::array<std::uint64_t, 4>;
    struct HashOfHash {
        std::size_t operator()(const KeyHash& hash) const { return hash[0]; }
    };
    struct Entry {
        std::shared_ptr<const rpc::Principal> principal;
        SteadyTime valid_until;
    };

    static KeyHash hash_of(std::string_view key);
    std::shared_ptr<const rpc::Principal> look_up(const KeyHash& hash);
    /// How long an answer holds, from when it was asked for.
    std::chrono::microseconds life_of(Timestamp expires_at) const;
    void keep(const KeyHash& hash, Entry entry, std::uint64_t revocations_before);
    std::uint64_t revocations();

    static constexpr std::size_t kEntriesMax = 100'000;

    std::shared_ptr<auth::Auth> auth_;
    const Clock& clock_;
    std::chrono::milliseconds age_max_;
    std::mutex mutex_;
    std::unordered_map<KeyHash, Entry, HashOfHash> entries_;
    std::uint64_t revocations_ = 0;  ///< that were told here
};

}  // namespace quire::gateway
