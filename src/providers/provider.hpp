#pragma once

#include "quire/common/v1/chat.pb.h"
#include "runtime/async.hpp"
#include "runtime/rpc/call_context.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace quire::providers {

struct UpstreamTimeouts {
    std::chrono::milliseconds connect{5'000};
    std::chrono::milliseconds first_token{60'000};
    std::chrono::milliseconds between_tokens{60'000};
};

/// One attempt: what to ask and under which name.
struct ProviderRequest {
    const common::v1::ChatRequest& chat;
    std::string upstream_model;
    std::string max_tokens_field;  ///< "" = the client's own field, else `max_tokens`
    std::int64_t max_output_tokens = 0;
    UpstreamTimeouts timeouts;
};

/// Where an attempt's pieces go. An error from `write` ends the attempt.
class DeltaSink {
public:
    virtual ~DeltaSink() = default;
    /// The upstream has accepted the request and begun to answer.
    virtual void on_headers() = 0;
    virtual awaitable<Result<void>> write(const common::v1::Delta& delta) = 0;
};

/// How an attempt ended well.
struct Completion {
    std::string finish_reason;
    std::optional<common::v1::Usage> usage;  ///< as the provider counted; 0 and absent differ
};

/// A model back end. Safe from several loops. Errors before the first piece: kUpstreamError (may be
/// tried again), kUpstreamTimeout, kUpstreamAuthFailed, kOverloaded (with its hint), and what the
/// client's own fields caused; after it, the same codes, and the caller says what they mean.
class Provider {
public:
    virtual ~Provider() = default;
    virtual awaitable<Result<Completion>> generate(const rpc::CallContext& ctx,
                                                   const ProviderRequest& request,
                                                   DeltaSink& sink) = 0;
};

}  // namespace quire::providers
