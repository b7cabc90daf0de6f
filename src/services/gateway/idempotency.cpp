#include "services/gateway/idempotency.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>

namespace quire::gateway {

Result<void> check_idempotency_key(const GatewayCall& call) {
    constexpr std::size_t kBytesMax = 255;
    const std::size_t bytes = call.ctx.idempotency_key.size();
    if (bytes <= kBytesMax) return {};
    return Error(ErrorCode::kInvalidValue,
                 fmt::format("the Idempotency-Key has {} bytes; it may have up to {}", bytes,
                             kBytesMax))
        .with_param("idempotency-key");
}

std::string idempotency_hash(const GatewayCall& call) {
    if (call.ctx.idempotency_key.empty()) return "";
    const http::RequestHead& head = call.exchange.head();
    const std::string text = fmt::format("{} {}\n{}", head.method, head.path, call.raw_body);
    std::string digest(SHA256_DIGEST_LENGTH, '\0');
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           reinterpret_cast<unsigned char*>(digest.data()));
    return digest;
}

}  // namespace quire::gateway
