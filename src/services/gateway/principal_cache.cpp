#include "services/gateway/principal_cache.hpp"

#include <openssl/sha.h>

#include <algorithm>

namespace quire::gateway {

awaitable<Result<std::shared_ptr<const rpc::Principal>>> PrincipalCache::find(
    const rpc::CallContext& ctx, std::string_view key) {
    const KeyHash hash = hash_of(key);
    if (auto known = look_up(hash)) co_return known;
    auth::v1::AuthenticateRequest request;
    request.set_key(std::string(key));
    const std::uint64_t before = revocations();
    const SteadyTime asked_at = clock_.steady();
    const auto found = co_await auth_->authenticate(ctx, request);
    if (!found) co_return found.error();
    const auto& message = found->principal();
    auto principal = std::make_shared<rpc::Principal>();
    principal->org_id = message.org_id();
    principal->project_id = message.project_id();
    principal->user_id = message.user_id();
    principal->key_id = message.key_id();
    principal->scopes.assign(message.scopes().begin(), message.scopes().end());
    const auto valid_until = asked_at + life_of(Timestamp{found->expires_at_us()});
    keep(hash, {principal, valid_until}, before);
    co_return std::shared_ptr<const rpc::Principal>(std::move(principal));
}

void PrincipalCache::forget(std::string_view key_id) {
    const std::lock_guard lock(mutex_);
    ++revocations_;
    std::erase_if(entries_,
                  [&](const auto& entry) { return entry.second.principal->key_id == key_id; });
}

std::uint64_t PrincipalCache::revocations() {
    const std::lock_guard lock(mutex_);
    return revocations_;
}

PrincipalCache::KeyHash PrincipalCache::hash_of(std::string_view key) {
    KeyHash hash{};
    static_assert(sizeof hash == SHA256_DIGEST_LENGTH);
    SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(),
           reinterpret_cast<unsigned char*>(hash.data()));
    return hash;
}

std::shared_ptr<const rpc::Principal> PrincipalCache::look_up(const KeyHash& hash) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(hash);
    if (found == entries_.end()) return nullptr;
    if (found->second.valid_until > clock_.steady()) return found->second.principal;
    entries_.erase(found);
    return nullptr;
}

std::chrono::microseconds PrincipalCache::life_of(Timestamp expires_at) const {
    std::chrono::microseconds life = age_max_;
    if (expires_at.micros != 0) life = std::min(life, expires_at - clock_.now());
    return life;
}

void PrincipalCache::keep(const KeyHash& hash, Entry entry, std::uint64_t revocations_before) {
    const SteadyTime now = clock_.steady();
    const std::lock_guard lock(mutex_);
    if (revocations_ != revocations_before) return;  // it may have been this key's
    if (entries_.size() >= kEntriesMax) {
        std::erase_if(entries_, [&](const auto& one) { return one.second.valid_until <= now; });
        if (entries_.size() >= kEntriesMax) entries_.clear();
    }
    entries_.insert_or_assign(hash, std::move(entry));
}

}  // namespace quire::gateway
