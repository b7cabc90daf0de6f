#include "runtime/trace_context.hpp"

#include <algorithm>
#include <span>

namespace quire::runtime {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::size_t kLength = 55;
constexpr std::size_t kTracestateMax = 512;

void append_hex(std::string& out, std::span<const std::uint8_t> bytes) {
    const std::size_t begin = out.size();
    out.resize(begin + 2 * bytes.size());
    char* to = out.data() + begin;
    for (const std::uint8_t byte : bytes) {
        *to++ = kHex[byte >> 4];
        *to++ = kHex[byte & 15];
    }
}

/// Lower-case hex only, as the specification says; false when `text` is anything else.
bool read_hex(std::string_view text, std::span<std::uint8_t> bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto high = kHex.find(text[2 * i]);
        const auto low = kHex.find(text[2 * i + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos) return false;
        bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return true;
}

bool is_zero(std::span<const std::uint8_t> bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

}  // namespace

std::string TraceContext::trace_id_hex() const {
    std::string out;
    append_hex(out, trace_id);
    return out;
}

std::string TraceContext::traceparent() const {
    std::string out = "00-";
    append_hex(out, trace_id);
    out += '-';
    append_hex(out, span_id);
    out += is_sampled ? "-01" : "-00";
    return out;
}

TraceContext TraceContext::child(Rng& rng) const {
    TraceContext next = *this;
    rng.fill(std::as_writable_bytes(std::span(next.span_id)));
    return next;
}

std::optional<TraceContext> parse_traceparent(std::string_view text) {
    std::array<std::uint8_t, 1> version{};
    std::array<std::uint8_t, 1> flags{};
    TraceContext trace;
    if (text.size() < kLength || text[2] != '-' || text[35] != '-' || text[52] != '-') return {};
    if (!read_hex(text.substr(0), version) || version[0] == 0xFF) return {};
    if (version[0] == 0 ? text.size() != kLength : text.size() > kLength && text[kLength] != '-') {
        return {};
    }
    if (!read_hex(text.substr(3), trace.trace_id) || !read_hex(text.substr(36), trace.span_id) ||
        !read_hex(text.substr(53), flags)) {
        return {};
    }
    if (is_zero(trace.trace_id) || is_zero(trace.span_id)) return {};
    trace.is_sampled = (flags[0] & 1) != 0;
    return trace;
}

TraceContext new_trace(Rng& rng) {
    TraceContext trace;
    rng.fill(std::as_writable_bytes(std::span(trace.trace_id)));
    rng.fill(std::as_writable_bytes(std::span(trace.span_id)));
    return trace;
}

std::string clean_tracestate(std::string_view text) {
    const bool is_printable =
        std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
    if (text.size() > kTracestateMax || !is_printable) return "";
    return std::string(text);
}

}  // namespace quire::runtime
