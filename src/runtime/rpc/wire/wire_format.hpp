#pragma once

#include "base/result.hpp"
#include "base/rng.hpp"
#include "runtime/rpc/call_context.hpp"
#include "runtime/rpc/wire/header_list.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace quire::rpc {

/// gRPC's status for a method that does not exist; no row of our catalogue has it.
inline constexpr int kGrpcUnimplemented = 12;

/// A call's request headers: where it goes, and its context as metadata.
HeaderList to_headers(const CallContext& ctx, std::string_view path, std::string_view authority,
                      SteadyTime now);
/// The context that a call's headers carry. What a foreign caller leaves out is empty, but for a
/// new request id and trace. kInvalidValue names a header that cannot be read.
Result<CallContext> to_context(const HeaderList& headers, const Clock& clock, Rng& rng);

/// How a call ended, as trailers: `grpc-status`, and the whole error in `grpc-message` and
/// `grpc-status-details-bin`.
HeaderList to_trailers(const Result<void>& ended);
HeaderList unimplemented_trailers(std::string_view message);
/// The same back. A foreign server's status becomes kOverloaded (UNAVAILABLE, and a CANCELLED that
/// nobody asked for), kDeadlineExceeded, else kInternalError.
Result<void> to_result(const HeaderList& headers);
/// Whether an answer that begins with `headers` is one of gRPC. If not, as of a proxy's page or a
/// server of another kind: kOverloaded for HTTP 429, 502, 503 and 504, else kInternalError.
Result<void> check_answer(const HeaderList& headers);

// Parts, for their tests ------------------------------------------------------------------------

/// `grpc-message`: bytes outside of printable ASCII, and `%`, as %XX.
std::string percent_encode_message(std::string_view text);
std::string percent_decode_message(std::string_view text);
std::string base64_encode(std::string_view bytes);
/// With or without padding; nullopt for anything else.
std::optional<std::string> base64_decode(std::string_view text);
/// `grpc-timeout`: at most eight digits and a unit.
std::string to_grpc_timeout(std::chrono::nanoseconds left);
std::optional<std::chrono::nanoseconds> parse_grpc_timeout(std::string_view text);

}  // namespace quire::rpc
