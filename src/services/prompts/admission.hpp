#pragma once

#include "quire/common/v1/chat.pb.h"
#include "quire/credits/v1/credits.pb.h"
#include "quire/prompts/v1/prompts.pb.h"
#include "runtime/rpc/call_context.hpp"

#include <string>

namespace quire::prompts {

/// How long after the request's deadline its hold lives on: settling may have to wait for a disk.
inline constexpr std::chrono::minutes kSettleWindow{10};

/// What the request can cost at most. The input's tokens are bounded by the bytes of messages,
/// tools and response format and 16 per message, since a byte-level tokenizer makes at most one
/// token of a byte; where a part is not text only the model's context bounds them.
credits::v1::AdmitRequest admission_of(const rpc::CallContext& ctx, const v1::ChatCall& call,
                                       const std::string& owner, SteadyTime now);

/// Limits the answer to what was admitted, in the field that the client used.
void limit_output(common::v1::ChatRequest& request, std::int64_t tokens);

}  // namespace quire::prompts
