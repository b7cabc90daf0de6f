#pragma once

#include "base/rng.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quire::runtime {

/// W3C trace context: which trace a request belongs to and the span that called us.
struct TraceContext {
    std::array<std::uint8_t, 16> trace_id{};
    std::array<std::uint8_t, 8> span_id{};
    bool is_sampled = false;
    std::string tracestate;

    std::string trace_id_hex() const;
    /// `00-<32 hex>-<16 hex>-<01|00>`.
    std::string traceparent() const;
    /// The same trace with a new span id, for a call that we make.
    TraceContext child(Rng& rng) const;
};

/// Version 00 exactly, later versions by their first four fields; nullopt for anything invalid
/// (all-zero ids too), after which the caller starts a new trace.
std::optional<TraceContext> parse_traceparent(std::string_view text);
TraceContext new_trace(Rng& rng);
/// Kept as it is when at most 512 printable characters; else dropped.
std::string clean_tracestate(std::string_view text);

}  // namespace quire::runtime
