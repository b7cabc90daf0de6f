#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace quire::runtime {

/// One server-sent event (WHATWG HTML 9.2).
struct SseEvent {
    std::string event;  ///< "" means the default, `message`
    std::string data;   ///< lines joined by LF
    std::string id;

    bool operator==(const SseEvent&) const = default;
};

/// Reads events from bytes split anywhere; lines end with CR, LF or CRLF; comments and unknown
/// fields are skipped, a BOM at the start is dropped.
class SseParser {
public:
    explicit SseParser(std::size_t event_bytes_max = 1 << 20) : event_bytes_max_(event_bytes_max) {}

    /// Takes more bytes; kUpstreamError when one event passes the limit.
    Result<void> feed(std::string_view bytes);
    /// The next complete event; nullopt when more bytes are needed. An event that the stream's end
    /// cuts off is never given out.
    std::optional<SseEvent> next();

private:
    void end_line();
    void take_field(std::string_view name, std::string_view value);

    std::size_t event_bytes_max_;
    std::string line_;
    SseEvent pending_;
    bool has_data_ = false;
    bool skips_lf_ = false;
    bool is_at_start_ = true;
    std::deque<SseEvent> ready_;
};

/// Appends one event. `data` is split at CR, LF and CRLF, so that it can never forge a field; an
/// `event` or `id` with CR, LF or NUL is kInvalidValue.
Result<void> append_sse(std::string& out, const SseEvent& event);
/// `data: <json>` for text that is known to hold no line break, as JSON of ours.
void append_sse_json(std::string& out, std::string_view one_line_json);
/// `: text`, what keeps an idle stream alive.
void append_sse_comment(std::string& out, std::string_view text);

}  // namespace quire::runtime
